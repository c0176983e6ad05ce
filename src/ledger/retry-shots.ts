import type pg from 'pg';
import { firstOfRound, laneOf, type ImageRequest, type Outcome } from '../loop/index.js';
import { insertFiles } from './create-run.js';
import { toJsonb } from './json.js';
import type { Again } from './types.js';

/** Shots that are opened at a time. */
const pageSize = 500;

interface Ended {
  shot: number;
  request: ImageRequest;
  tags: string[];
  priority: number;
  attempts: number;
  outcome: Outcome;
  /** The attempt whose image is to be made again. */
  lost: { request: ImageRequest; seed: number } | null;
}

/** Opens a run that is over again, within the transaction of `client`. Order of locks: shot, attempt, run, standing. */
export async function retryShots(client: pg.PoolClient, run: string, again: Again): Promise<number> {
  const found = await client.query<{ seed: number }>(
    `select seed::float8 as seed from reroll.runs where id = $1 and state in ('completed', 'cancelled')`,
    [run],
  );
  const seed = found.rows[0]?.seed;
  if (seed === undefined) return 0;
  const opened = { accepted: 0, exhausted: 0, failed: 0, cancelled: 0 };
  for (let after = 0; ;) {
    const page = await readEnded(client, run, again, after);
    const end = page.at(-1);
    if (!end) break;
    await open(client, run, again, seed, page);
    for (const { outcome } of page) opened[outcome]++;
    after = end.shot;
  }
  const { accepted, exhausted, failed, cancelled } = opened;
  const total = accepted + exhausted + failed + cancelled;
  if (total === 0) return 0;
  await insertFiles(client, run, again.files);
  await client.query(
    `update reroll.runs set state = 'running', finished_at = null, pipeline = coalesce($2, pipeline),
       due = due + $3, accepted = accepted - $4, exhausted = exhausted - $5, failed = failed - $6,
       cancelled = cancelled - $7, set_keys = set_keys || $8
     where id = $1`,
    [
      run,
      again.pipeline === undefined ? null : toJsonb(again.pipeline),
      total,
      accepted,
      exhausted,
      failed,
      cancelled,
      again.set ?? [],
    ],
  );
  // Its budget was for its first round.
  await client.query('delete from reroll.standings where run = $1', [run]);
  return total;
}

async function readEnded(client: pg.PoolClient, run: string, again: Again, after: number): Promise<Ended[]> {
  const { rows } = await client.query<Ended>(
    `select s.shot, s.request, s.tags, s.priority, s.attempts, s.outcome,
       (select jsonb_build_object('request', a.request, 'seed', a.candidate -> 'seed') from reroll.attempts a
        where $5::bool and a.run = s.run and a.shot = s.shot and a.number = s.kept and a.repair is null) as lost
     from reroll.shots s
     where run = $1 and shot > $2 and outcome = any ($3::text[]) and ($4::int[] is null or shot = any ($4))
     order by shot limit $6 for update`,
    [run, after, again.outcomes, again.shots ?? null, again.isLost ?? false, pageSize],
  );
  return rows;
}

async function open(
  client: pg.PoolClient,
  run: string,
  { attempts, isLost = false }: Again,
  seed: number,
  page: Ended[],
): Promise<void> {
  const rows = page.map(({ shot, tags, priority, attempts: after, lost, ...given }) => {
    const first = firstOfRound(seed, { index: shot, request: given.request }, after);
    const request = lost ? { ...lost.request, seed: lost.seed } : first;
    return { shot, priority, after, request, lane: laneOf(request, tags) };
  });
  await client.query(
    `with page as (
       select * from jsonb_to_recordset($2) as shot
         (shot integer, priority integer, after integer, request jsonb, lane text)
     ), opened as (
       update reroll.shots s set outcome = null, reason = null, waiting = false, attempts = page.after + 1,
         round = jsonb_build_object('after', page.after, 'attempts', $3::int),
         kept = case when $4::bool then null else kept end,
         published = case when $4::bool then null else published end
       from page where s.run = $1 and s.shot = page.shot
     )
     insert into reroll.attempts (run, shot, number, state, priority, request, lane)
     select $1, shot, after + 1, 'due', priority, request, lane from page`,
    [run, toJsonb(rows), attempts, isLost],
  );
}
