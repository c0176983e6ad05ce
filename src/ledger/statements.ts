import { statement } from './statement.js';

/**
 * The writes that every attempt goes through. Each is one statement, so one transaction and one
 * round trip, and prepared, which halves its cost. Rows are found by their keys, never by a join: a plan
 * that was made before the tables grew must still be a good one. Each moves a row only out of the state that it
 * expects, so that repeating it changes nothing; the counters of the run follow from the rows moved.
 *
 * Locks are taken in the order shot, attempt, run, standing, everywhere: no two processes can wait for each other.
 */

/**
 * Guards a move by a lease, parameters `at` (its name, null for none) and the next (its number): a process that lost a
 * role to another changes nothing any more.
 */
const fence = (at: number): string =>
  `and ($${at}::text is null
     or exists (select from reroll.leases where name = $${at} and leases.number = $${at + 1}))`;

/** run, shot, number, backend, remote id; lease */
export const sending = statement(
  'sending',
  `update reroll.attempts set backend = $4, remote_id = $5
   where run = $1 and shot = $2 and number = $3 and state = 'due' ${fence(6)}`,
);

/** run, shot, number, message, keep the remote id?, does it count?; lease */
export const serverError = statement(
  'server error',
  `with moved as (
     update reroll.attempts
     set server_errors = server_errors + $6::bool::int, last_error = $4, remote_id = case when $5 then remote_id end
     where run = $1 and shot = $2 and number = $3 and state = 'due' ${fence(7)}
     returning server_errors
   ), counted as (
     update reroll.runs set server_errors = runs.server_errors + 1 from moved where id = $1
   )
   select server_errors from moved`,
);

/** run, shot, number, lane; lease */
export const dropRepair = statement(
  'drop repair',
  `update reroll.attempts set repair = null, lane = $4, remote_id = null
   where run = $1 and shot = $2 and number = $3 and state = 'due' and repair is not null ${fence(5)}`,
);

/** run, shot, number, candidate; lease */
export const candidate = statement(
  'candidate',
  `with moved as (
     update reroll.attempts set state = 'generated', candidate = $4, generated_at = now()
     where run = $1 and shot = $2 and number = $3 and state = 'due' ${fence(5)}
     returning 1
   )
   update reroll.runs set due = due - 1, generated = generated + 1 from moved where id = $1`,
);

/** run, shot, number; lease. The remote id stays: the server may still have the image. */
export const lostCandidate = statement(
  'lost candidate',
  `with moved as (
     update reroll.attempts set state = 'due', candidate = null, generated_at = null, lost = lost + 1
     where run = $1 and shot = $2 and number = $3 and state = 'generated' ${fence(4)}
     returning 1
   )
   update reroll.runs set due = due + 1, generated = generated - 1 from moved where id = $1`,
);

/**
 * What follows a verdict, for the one row of `moved`, which has the shot's priority and its last attempt's number (the
 * judged one may be an earlier one, whose image was made again): $4 the next attempt's request, $5 its lane, $6 its repair; $7 the outcome, $8 kept, $9 published.
 */
const step = (judged: { one: string; rejected: string }): string => `
  stepped as (
    update reroll.shots s
    set attempts = s.attempts + ($4::jsonb is not null)::int, waiting = $4::jsonb is null and $7::text is null,
      outcome = $7, kept = coalesce($8, kept), published = coalesce($9, published)
    from moved where s.run = $1 and s.shot = $2
  ), went as (
    update reroll.standings t set shots = t.shots - 1 from moved
    where t.run = $1 and t.bucket = $2::int / 256 and not t.ended and t.attempts = moved.last
      and ($4::jsonb is not null or $7::text is not null)
    returning t.bucket, t.attempts as last
  ), came as (
    insert into reroll.standings (run, bucket, ended, attempts, shots)
    select $1, bucket, $7::text is not null, last + ($4::jsonb is not null)::int, 1 from went
    on conflict (run, bucket, ended, attempts) do update set shots = standings.shots + 1
  ), next as (
    insert into reroll.attempts (run, shot, number, state, priority, request, lane, repair)
    select $1, $2, last + 1, 'due', priority, $4, $5, $6::jsonb from moved where $4::jsonb is not null
  )
  update reroll.runs set
    generated = generated - ${judged.one}, attempts = attempts + ${judged.one}, rejected = rejected + ${judged.rejected},
    due = due + ($4::jsonb is not null)::int,
    accepted = accepted + coalesce(($7 = 'accepted')::int, 0), exhausted = exhausted + coalesce(($7 = 'exhausted')::int, 0)
  from moved where id = $1`;

/** run, shot, number, then the step's, $10 verdict, $11 model; lease */
export const verdict = statement(
  'verdict',
  `with open as (
     select attempts as last from reroll.shots where run = $1 and shot = $2 and outcome is null ${fence(12)} for update
   ), moved as (
     update reroll.attempts a set state = 'judged', verdict = $10, model = $11, judged_at = now()
     from open where a.run = $1 and a.shot = $2 and a.number = $3 and a.state = 'generated'
     returning a.priority, open.last
   ), ${step({ one: '1', rejected: `($10::jsonb ->> 'decision' <> 'accept')::int` })}`,
);

/** run, shot, number, then the step's; lease */
export const stepAfterWait = statement(
  'step after wait',
  `with moved as (
     select priority, attempts as last from reroll.shots
     where run = $1 and shot = $2 and outcome is null and waiting and attempts = $3 ${fence(10)}
     for update
   ), ${step({ one: '0', rejected: '0' })}`,
);

/** run, shot, number; lease. The shot waits, and its rejected attempt's image is to be made again. The remote id stays. */
export const again = statement(
  'again',
  `with open as (
     select from reroll.shots where run = $1 and shot = $2 and outcome is null and waiting ${fence(4)} for update
   ), moved as (
     update reroll.attempts a set state = 'due', candidate = null, verdict = null, model = null,
       generated_at = null, judged_at = null, lost = lost + 1
     from open where a.run = $1 and a.shot = $2 and a.number = $3 and a.state = 'judged'
       and a.verdict ->> 'decision' <> 'accept'
     returning 1
   ), goes_on as (
     update reroll.shots set waiting = false from moved where run = $1 and shot = $2
   )
   update reroll.runs set due = due + 1, attempts = attempts - 1, rejected = rejected - 1 from moved where id = $1`,
);

/** run, state to move to, states to move from; lease */
export const moveRun = statement(
  'move run',
  `update reroll.runs set state = $2, finished_at = case when $2::text = 'completed' then now() end
   where id = $1 and state = any ($3::text[])
     and ($2::text <> 'completed' or accepted + exhausted + failed + cancelled = shots) ${fence(4)}`,
);

const dueSelect = (lane: string): string =>
  `select run, shot, number, lane, priority from reroll.attempts
   where run = $1 and state = $2 and state in ('due', 'generated') ${lane}
   order by priority desc, shot, number limit $3`;

/** run, state, limit */
export const due = statement('due', dueSelect(''));

/** run, state, limit, lane */
export const dueInLane = statement('due in lane', dueSelect('and lane = $4'));

/** run. Hops from lane to lane in the index: of 100,000 due attempts one for each lane is read. */
export const dueLanes = statement(
  'due lanes',
  `with recursive lanes as (
     (select lane from reroll.attempts where run = $1 and state = 'due' order by lane limit 1)
     union all
     select (select a.lane from reroll.attempts a
             where a.run = $1 and a.state = 'due' and a.lane > lanes.lane order by a.lane limit 1)
     from lanes where lanes.lane is not null
   )
   select lanes.lane, first.priority, first.request, first.tags, first.repair
   from lanes cross join lateral (
     select a.priority, a.request, a.repair, s.tags
     from reroll.attempts a join reroll.shots s on s.run = a.run and s.shot = a.shot
     where a.run = $1 and a.state = 'due' and a.lane = lanes.lane
     order by a.priority desc, a.shot, a.number limit 1
   ) first
   order by lanes.lane`,
);

const waiting = (order: 'asc' | 'desc'): string =>
  `select run, shot, attempts as number from reroll.shots where run = $1 and waiting
   order by attempts ${order}, shot ${order} limit $2`;

/** run, limit */
export const waitingFirst = statement('waiting first', waiting('asc'));

/** run, limit */
export const waitingLast = statement('waiting last', waiting('desc'));

/** run, shot. Counts shot by shot in the shot's own bucket alone. */
export const budget = statement(
  'budget',
  `select ended, attempts, sum(before)::int as before, sum(after)::int as after from (
     select ended, attempts,
       case when bucket < $2::int / 256 then shots else 0 end as before,
       case when bucket > $2::int / 256 then shots else 0 end as after
     from reroll.standings where run = $1 and bucket <> $2::int / 256
     union all
     select outcome is not null, attempts, (shot < $2::int)::int, (shot >= $2::int)::int
     from reroll.shots where run = $1 and shot between $2::int / 256 * 256 and $2::int / 256 * 256 + 255
   ) counted group by 1, 2 having sum(before) + sum(after) > 0 order by 1, 2`,
);

/** run, events as [{ code, data }] */
export const appendEvents = statement(
  'append events',
  `with counted as (
     update reroll.runs set events = events + jsonb_array_length($2) where id = $1 returning events
   ), added as (
     insert into reroll.events (run, sequence, code, data)
     select $1, counted.events - jsonb_array_length($2) + place, event ->> 'code', event -> 'data'
     from counted, jsonb_array_elements($2) with ordinality as list (event, place)
   )
   select events::float8 as last from counted`,
);

/** run, sequence of the last one to go */
export const trimEvents = statement(
  'trim events',
  'delete from reroll.events where run = $1 and sequence <= $2',
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
