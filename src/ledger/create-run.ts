import type pg from 'pg';
import { laneOf } from '../loop/index.js';
import { toJsonb } from './json.js';
import type { FileRecord, NewRun, NewShot } from './types.js';

/** Shots per insert: more are no faster, and a page of them is what is held in memory. */
const pageSize = 500;

/** Writes a run, its shots and attempt 1 of each, within the transaction of `client`. Returns the run's id. */
export async function insertRun(
  client: pg.PoolClient,
  run: NewRun,
  shots: AsyncIterable<NewShot>,
  taken: (id: string) => Promise<boolean>,
): Promise<string> {
  const id = await insertRunRow(client, run, taken);
  await insertFiles(client, id, run.files);
  let total = 0;
  let page: NewShot[] = [];
  for await (const shot of shots) {
    page.push(shot);
    if (page.length < pageSize) continue;
    total += page.length;
    await insertShots(client, id, page);
    page = [];
  }
  total += page.length;
  await insertShots(client, id, page);
  await client.query('update reroll.runs set shots = $2, due = $2 where id = $1', [id, total]);
  if (run.hasBudget) {
    await client.query(
      `insert into reroll.standings (run, bucket, ended, attempts, shots)
       select $1, shot / 256, false, 1, count(*) from reroll.shots where run = $1 group by 2`,
      [id],
    );
  }
  return id;
}

async function insertRunRow(
  client: pg.PoolClient,
  run: NewRun,
  taken: (id: string) => Promise<boolean>,
): Promise<string> {
  for (let number = 1; ; number++) {
    const id = `${run.name}-${number}`;
    const known = await client.query('select from reroll.runs where id = $1', [id]);
    if (known.rowCount !== 0 || (await taken(id))) continue;
    // Another process may take the id at the same moment: then the next one is tried.
    const { rowCount } = await client.query(
      `insert into reroll.runs (id, name, pipeline_file, pipeline, seed, output_dir, store, set_keys, state)
       values ($1, $2, $3, $4, $5, $6, $7, $8, 'running') on conflict do nothing`,
      [id, run.name, run.pipelineFile, toJsonb(run.pipeline), run.seed, run.outputDir, run.store, run.set],
    );
    if (rowCount === 1) return id;
  }
}

export async function insertFiles(client: pg.PoolClient, run: string, files: FileRecord[]): Promise<void> {
  if (files.length === 0) return;
  await client.query({
    name: 'reroll files',
    // Shots share pictures.
    text: `insert into reroll.files (run, path, sha256, bytes, modified_ms)
      select $1, path, sha256, bytes, "modifiedMs" from jsonb_to_recordset($2) as file
        (path text, sha256 text, bytes bigint, "modifiedMs" float8)
      on conflict do nothing`,
    values: [run, toJsonb(files)],
  });
}

async function insertShots(client: pg.PoolClient, run: string, shots: NewShot[]): Promise<void> {
  if (shots.length === 0) return;
  await insertFiles(
    client,
    run,
    shots.flatMap(({ files = [] }) => files),
  );
  const rows = shots.map((shot) => ({ ...shot, files: undefined, lane: laneOf(shot.request, shot.tags) }));
  await client.query({
    name: 'reroll shots',
    text: `with page as (
        select * from jsonb_to_recordset($2) as shot
          (index integer, prompt text, request jsonb, priority integer, tags text[], lane text)
      ), inserted as (
        insert into reroll.shots (run, shot, prompt, request, priority, tags)
        select $1, index, prompt, request, priority, tags from page
      )
      insert into reroll.attempts (run, shot, number, state, priority, request, lane)
      select $1, index, 1, 'due', priority, request, lane from page`,
    values: [run, toJsonb(rows)],
  });
}
