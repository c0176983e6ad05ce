import type pg from 'pg';
import { toText } from './json.js';
import type { Lease } from './types.js';

/**
 * Ends of shots that come from outside the loop. Several statements each, in the order shot, attempt,
 * run, standing: the attempts are looked at only once the shot is locked, since a verdict that was just being
 * written may have added one.
 */

/** Ends one shot as failed. False where it has an outcome already. */
export async function failShot(
  client: pg.PoolClient,
  run: string,
  shot: number,
  reason: string,
  lease: Lease | undefined,
): Promise<boolean> {
  const ended = await client.query<{ attempts: number }>(
    `update reroll.shots set outcome = 'failed', reason = $3, waiting = false
     where run = $1 and shot = $2 and outcome is null
       and ($4::text is null or exists (select from reroll.leases where name = $4 and number = $5))
     returning attempts`,
    [run, shot, toText(reason), lease?.name ?? null, lease?.number ?? null],
  );
  if (ended.rowCount === 0) return false;
  await dropAttempts(client, run, shot);
  await client.query('update reroll.runs set failed = failed + 1 where id = $1', [run]);
  await client.query(
    `with went as (
       update reroll.standings set shots = shots - 1
       where run = $1 and bucket = $2::int / 256 and not ended and attempts = $3 returning bucket
     )
     insert into reroll.standings (run, bucket, ended, attempts, shots) select $1, bucket, true, $3, 1 from went
     on conflict (run, bucket, ended, attempts) do update set shots = standings.shots + 1`,
    [run, shot, ended.rows[0]?.attempts],
  );
  return true;
}

/** Ends a run and all its open shots as cancelled, and says what servers may still be doing for it. */
export async function cancelRun(
  client: pg.PoolClient,
  run: string,
): Promise<{ backend: string; remoteId: string }[]> {
  const ended = await client.query(
    `update reroll.shots set outcome = 'cancelled', waiting = false
     where run = $1 and outcome is null
       and exists (select from reroll.runs where id = $1 and state in ('running', 'paused'))`,
    [run],
  );
  await dropAttempts(client, run);
  await client.query(
    `update reroll.runs set state = 'cancelled', finished_at = now(), cancelled = cancelled + $2
     where id = $1 and state in ('running', 'paused')`,
    [run, ended.rowCount],
  );
  // Read back rather than collected above: whoever died before it told the servers asks again.
  const { rows } = await client.query<{ backend: string; remoteId: string }>(
    `select a.backend, a.remote_id as "remoteId" from reroll.attempts a join reroll.runs r on r.id = a.run
     where a.run = $1 and a.state = 'dropped' and a.remote_id is not null and a.generated_at is null
       and r.state = 'cancelled'
     order by a.shot`,
    [run],
  );
  return rows;
}

/** Drops the open attempts of shots that have an outcome. */
async function dropAttempts(client: pg.PoolClient, run: string, shot?: number): Promise<void> {
  await client.query(
    `with dropped as (
       update reroll.attempts a set state = 'dropped'
       from reroll.shots s
       where a.run = $1 and a.state in ('due', 'generated') and ($2::int is null or a.shot = $2)
         and s.run = a.run and s.shot = a.shot and s.outcome is not null
       returning a.generated_at is not null as generated
     ), counts as (
       select count(*) filter (where generated) as generated, count(*) filter (where not generated) as due from dropped
     )
     update reroll.runs r set due = r.due - counts.due, generated = r.generated - counts.generated
     from counts where id = $1`,
    [run, shot],
  );
}
