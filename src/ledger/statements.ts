import { statement } from './statement.js';

/**
 * The writes that every attempt goes through. Each is one statement, so one transaction and one
 * round trip, and prepared, which halves its cost. Rows are found by their keys, never by a join: a plan
 * that was made before the tables grew must still be a good one. Each moves a row only out of the state that it
 * expects, so that repeating it changes nothing; the counters of the run follow from the rows moved.
 *
 * Locks are taken in the order shot, attempt, run, everywhere: no two processes can wait for each other.
 */

/** run, shot, number, backend, remote id */
export const sending = statement(
  'sending',
  `update reroll.attempts set backend = $4, remote_id = $5
   where run = $1 and shot = $2 and number = $3 and state = 'due'`,
);

/** run, shot, number, message, keep the remote id? */
export const serverError = statement(
  'server error',
  `with moved as (
     update reroll.attempts
     set server_errors = server_errors + $6::bool::int, last_error = $4, remote_id = case when $5 then remote_id end
     where run = $1 and shot = $2 and number = $3 and state = 'due'
     returning server_errors
   ), counted as (
     update reroll.runs set server_errors = runs.server_errors + 1 from moved where id = $1
   )
   select server_errors from moved`,
);

/** run, shot, number, lane */
export const dropRepair = statement(
  'drop repair',
  `update reroll.attempts set repair = null, lane = $4, remote_id = null
   where run = $1 and shot = $2 and number = $3 and state = 'due' and repair is not null`,
);

/** run, shot, number, candidate */
export const candidate = statement(
  'candidate',
  `with moved as (
     update reroll.attempts set state = 'generated', candidate = $4, generated_at = now()
     where run = $1 and shot = $2 and number = $3 and state = 'due'
     returning 1
   )
   update reroll.runs set due = due - 1, generated = generated + 1 from moved where id = $1`,
);

/** run, shot, number. The remote id stays: the server may still have the image. */
export const lostCandidate = statement(
  'lost candidate',
  `with moved as (
     update reroll.attempts set state = 'due', candidate = null, generated_at = null
     where run = $1 and shot = $2 and number = $3 and state = 'generated'
     returning 1
   )
   update reroll.runs set due = due + 1, generated = generated - 1 from moved where id = $1`,
);

/**
 * What follows a verdict, for the one row of `moved`, which has the shot's priority: $4 the next attempt's
 * request, $5 its lane, $6 its repair; $7 the outcome, $8 kept, $9 published.
 */
const step = (judged: { one: string; rejected: string }): string => `
  stepped as (
    update reroll.shots s
    set attempts = $3::int + ($4::jsonb is not null)::int, waiting = $4::jsonb is null and $7::text is null,
      outcome = $7, kept = $8, published = $9
    from moved where s.run = $1 and s.shot = $2
  ), next as (
    insert into reroll.attempts (run, shot, number, state, priority, request, lane, repair)
    select $1, $2, $3 + 1, 'due', priority, $4, $5, $6::jsonb from moved where $4::jsonb is not null
  )
  update reroll.runs set
    generated = generated - ${judged.one}, attempts = attempts + ${judged.one}, rejected = rejected + ${judged.rejected},
    due = due + ($4::jsonb is not null)::int,
    accepted = accepted + coalesce(($7 = 'accepted')::int, 0), exhausted = exhausted + coalesce(($7 = 'exhausted')::int, 0)
  from moved where id = $1`;

/** run, shot, number, then the step's, $10 verdict, $11 model */
export const verdict = statement(
  'verdict',
  `with open as (
     select from reroll.shots where run = $1 and shot = $2 and outcome is null for update
   ), moved as (
     update reroll.attempts a set state = 'judged', verdict = $10, model = $11, judged_at = now()
     from open where a.run = $1 and a.shot = $2 and a.number = $3 and a.state = 'generated'
     returning a.priority
   ), ${step({ one: '1', rejected: `($10::jsonb ->> 'decision' <> 'accept')::int` })}`,
);

/** run, shot, number, then the step's */
export const stepAfterWait = statement(
  'step after wait',
  `with moved as (
     select priority from reroll.shots
     where run = $1 and shot = $2 and outcome is null and waiting and attempts = $3
     for update
   ), ${step({ one: '0', rejected: '0' })}`,
);

/** run, state to move to, states to move from */
export const moveRun = statement(
  'move run',
  `update reroll.runs set state = $2, finished_at = case when $2::text = 'completed' then now() end
   where id = $1 and state = any ($3::text[])
     and ($2::text <> 'completed' or accepted + exhausted + failed + cancelled = shots)`,
);

const dueSelect = (lane: string): string =>
  `select run, shot, number, lane, priority from reroll.attempts
   where run = $1 and state = $2 and state in ('due', 'generated') ${lane}
   order by priority desc, shot, number limit $3`;

/** run, state, limit */
export const due = statement('due', dueSelect(''));

/** run, state, limit, lane */
export const dueInLane = statement('due in lane', dueSelect('and lane = $4'));

/** run. Hops from lane to lane in the index: 100,000 due attempts are counted, but their requests are not read. */
export const dueLanes = statement(
  'due lanes',
  `with recursive lanes as (
     (select lane from reroll.attempts where run = $1 and state = 'due' order by lane limit 1)
     union all
     select (select a.lane from reroll.attempts a
             where a.run = $1 and a.state = 'due' and a.lane > lanes.lane order by a.lane limit 1)
     from lanes where lanes.lane is not null
   )
   select lanes.lane, first.priority, first.request, first.tags, first.repair,
     (select count(*)::int from reroll.attempts a where a.run = $1 and a.state = 'due' and a.lane = lanes.lane) as due
   from lanes cross join lateral (
     select a.priority, a.request, a.repair, s.tags
     from reroll.attempts a join reroll.shots s on s.run = a.run and s.shot = a.shot
     where a.run = $1 and a.state = 'due' and a.lane = lanes.lane
     order by a.priority desc, a.shot, a.number limit 1
   ) first
   order by lanes.lane`,
);

/** run */
export const waiting = statement(
  'waiting',
  'select run, shot, attempts as number from reroll.shots where run = $1 and waiting order by attempts, shot',
);

/** run, shot */
export const budget = statement(
  'budget',
  `select outcome is not null as ended, attempts,
     count(*) filter (where shot < $2)::int as before, count(*) filter (where shot >= $2)::int as after
   from reroll.shots where run = $1 group by 1, 2 order by 1, 2`,
);

/** run, folded path, shot, wanted, path. A row where the path is the shot's, from now on or from before. */
export const claimPath = statement(
  'claim path',
  `insert into reroll.paths (run, folded, shot, wanted, path) values ($1, $2, $3, $4, $5)
   on conflict (run, folded) do update set path = paths.path where paths.shot = excluded.shot
   returning path`,
);

/** run. Of a shot that tried several names the longest, which is the last, comes last. */
export const renamedPaths = statement(
  'renamed paths',
  `select shot, wanted, path from reroll.paths where run = $1 and path <> wanted order by length(path)`,
);

/** run, shot */
export const tags = statement('tags', 'select tags from reroll.shots where run = $1 and shot = $2');
