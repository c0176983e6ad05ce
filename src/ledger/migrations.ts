/**
 * The steps from an empty database to the ledger's tables, in order. They are in a schema of their own: the
 * queue may live in the same database. Kept as text in code, so that they are found wherever the code is.
 * Never change what one does that was released: add another.
 */
export const migrations: { name: string; sql: string }[] = [
  {
    name: 'first',
    sql: `
      create table reroll.runs (
        id text primary key,
        name text not null,
        pipeline_file text not null,
        pipeline jsonb not null,
        seed bigint not null,
        output_dir text not null,
        state text not null check (state in ('running', 'paused', 'completed', 'cancelled')),
        created_at timestamptz not null default now(),
        finished_at timestamptz,
        -- Counters, kept in the transactions that change what they count: a display asks every second.
        shots integer not null default 0,
        accepted integer not null default 0,
        exhausted integer not null default 0,
        failed integer not null default 0,
        cancelled integer not null default 0,
        attempts integer not null default 0,
        rejected integer not null default 0,
        due integer not null default 0,
        generated integer not null default 0,
        server_errors integer not null default 0
      );

      create table reroll.shots (
        run text not null references reroll.runs,
        shot integer not null,
        prompt text not null,
        request jsonb not null,
        priority integer not null,
        tags text[] not null,
        -- How many attempts exist: the number of the last one.
        attempts integer not null default 1,
        -- The last attempt was rejected and the run's budget does not yet say whether there is another.
        waiting boolean not null default false,
        outcome text check (outcome in ('accepted', 'exhausted', 'failed', 'cancelled')),
        reason text,
        kept integer,
        published text,
        primary key (run, shot)
      );
      create index shots_waiting on reroll.shots (run, shot) where waiting;

      create table reroll.attempts (
        run text not null,
        shot integer not null,
        number integer not null,
        state text not null check (state in ('due', 'generated', 'judged', 'dropped')),
        -- The shot's, here too: one index gives what is due in order.
        priority integer not null,
        request jsonb not null,
        lane text not null,
        repair jsonb,
        backend text,
        remote_id text,
        server_errors integer not null default 0,
        last_error text,
        candidate jsonb,
        verdict jsonb,
        model jsonb,
        created_at timestamptz not null default now(),
        generated_at timestamptz,
        judged_at timestamptz,
        primary key (run, shot, number)
      );
      -- Lane by lane in the order of the queue: both listings of what is due read it from the start.
      create index attempts_open on reroll.attempts (run, state, lane, priority desc, shot, number)
        where state in ('due', 'generated');
      -- That a shot has one open attempt at most is the database's business too: a bug cannot break it.
      create unique index attempts_one_open on reroll.attempts (run, shot)
        where state in ('due', 'generated');
    `,
  },
  {
    name: 'paths',
    sql: `
      create table reroll.paths (
        run text not null,
        folded text not null,
        shot integer not null,
        wanted text not null,
        path text not null,
        primary key (run, folded)
      );
    `,
  },
  {
    name: 'roles',
    sql: `
      -- Tells ledgers apart whose queues share a Redis. One row.
      create table reroll.ledger (id text primary key default gen_random_uuid());
      insert into reroll.ledger default values;

      -- Who holds a role. The session is the heartbeat's: where it is gone, so is the holder.
      create table reroll.leases (
        name text primary key,
        owner text not null,
        number bigint not null,
        expires_at timestamptz not null,
        session integer,
        session_start timestamptz
      );

      create table reroll.events (
        run text not null,
        sequence bigint not null,
        at timestamptz not null default now(),
        code text not null,
        data jsonb not null,
        primary key (run, sequence)
      );

      alter table reroll.runs
        add column store text not null default '',
        add column events bigint not null default 0;

      -- How many shots of a run with a budget are how far, by 256 shots: so that sharing it out reads no more of
      -- 100,000 shots than of 1,000.
      create table reroll.standings (
        run text not null,
        bucket integer not null,
        ended boolean not null,
        attempts integer not null,
        shots integer not null,
        primary key (run, bucket, ended, attempts)
      );
      insert into reroll.standings
        select run, shot / 256, outcome is not null, s.attempts, count(*)
        from reroll.shots s join reroll.runs r on r.id = s.run
        where r.pipeline -> 'retry' ? 'run_attempts' and r.state in ('running', 'paused')
        group by 1, 2, 3, 4;

      drop index reroll.shots_waiting;
      create index shots_waiting on reroll.shots (run, attempts, shot) where waiting;
    `,
  },
  {
    name: 'files',
    sql: `
      create table reroll.files (
        run text not null,
        path text not null,
        sha256 text not null,
        bytes bigint not null,
        modified_ms float8 not null,
        primary key (run, path)
      );
    `,
  },
  {
    name: 'rounds',
    sql: `
      -- Of a shot that was asked for again: { after, attempts }.
      alter table reroll.shots add column round jsonb;
    `,
  },
  {
    name: 'review',
    sql: `
      -- What lies in review is counted without a look at all the rest.
      create index attempts_review on reroll.attempts (run, shot, number) where verdict ->> 'decision' = 'review';
      create index shots_review on reroll.shots (run, shot) where published like 'review/%';
    `,
  },
  {
    name: 'set keys',
    sql: `
      -- The keys that --set gave: the pipeline's file says otherwise there.
      alter table reroll.runs add column set_keys text[] not null default '{}';
    `,
  },
  {
    name: 'lost',
    sql: `
      -- How often the image of an attempt was lost, and is made again.
      alter table reroll.attempts add column lost integer not null default 0;
    `,
  },
];
