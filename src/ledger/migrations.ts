/**
 * The steps from an empty database to the tables of tables.ts, in order. Kept as text in code, so
 * that they are found wherever the code is. Never change one that was released: add another.
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
        attempts integer not null default 1,
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
      create index attempts_open on reroll.attempts (run, state, lane, priority desc, shot, number)
        where state in ('due', 'generated');
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
];
