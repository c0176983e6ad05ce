import { statement } from './statement.js';

/** The ledger's reads, prepared: planning them anew would cost more than running them. Columns bear the records' names. */

/** A double holds every seed exactly (2^53); node-postgres gives a bigint as text. */
const runColumns = `id, name, pipeline_file as "pipelineFile", pipeline, set_keys as set, seed::float8 as seed,
  output_dir as "outputDir", state, store, shots, created_at as "createdAt", finished_at as "finishedAt"`;

const attemptColumns = `a.run, a.shot, a.number, a.state, a.request, a.lane, a.repair, a.backend,
  a.remote_id as "remoteId", a.server_errors as "serverErrors", nullif(a.lost, 0) as lost, a.last_error as "lastError", a.candidate, a.verdict,
  a.model, a.created_at as "createdAt", a.generated_at as "generatedAt", a.judged_at as "judgedAt"`;

/** id */
export const run = statement('run', `select ${runColumns} from reroll.runs where id = $1`);

export const runs = statement(
  'runs',
  `select ${runColumns} from reroll.runs order by created_at desc, id desc`,
);

export const openRuns = statement(
  'open runs',
  `select ${runColumns} from reroll.runs where state in ('running', 'paused') order by created_at, id`,
);

/** run, sequence, limit */
export const events = statement(
  'events',
  `select run, sequence::float8 as sequence, at, code, data from reroll.events
   where run = $1 and sequence > $2 order by sequence limit $3`,
);

const fileColumns = 'path, sha256, bytes::float8 as bytes, modified_ms as "modifiedMs"';

/** run, path */
export const file = statement('file', `select ${fileColumns} from reroll.files where run = $1 and path = $2`);

/** run, path before the first, limit */
export const filesPage = statement(
  'files page',
  `select ${fileColumns} from reroll.files where run = $1 and path > $2 order by path limit $3`,
);

export const ledgerId = statement('ledger id', 'select id from reroll.ledger');

/** id */
export const progress = statement(
  'progress',
  `select id as run, state, shots, accepted, exhausted, failed, cancelled, attempts, rejected, due, generated,
     server_errors as "serverErrors"
   from reroll.runs where id = $1`,
);

/** run, shot before the first, limit */
export const published = statement(
  'published',
  `select shot, published as path from reroll.shots
   where run = $1 and shot > $2 and published is not null order by shot limit $3`,
);

/** run. Laid aside by their verdict, or kept so where no attempt was right. */
export const inReview = statement(
  'in review',
  `select count(*)::int as images from (
     select shot, number from reroll.attempts where run = $1 and verdict ->> 'decision' = 'review'
     union
     select shot, kept from reroll.shots where run = $1 and published like 'review/%'
   ) laid`,
);

/** run. Of 100,000 shots the first are enough. */
export const served = statement(
  'served',
  `select backend, count(*)::int as images, avg((candidate ->> 'seconds')::float8) as seconds
   from reroll.attempts where run = $1 and shot <= 1000 and candidate is not null and backend is not null
   group by backend order by backend`,
);

/** run, shot, number */
export const attempt = statement(
  'attempt',
  `select ${attemptColumns}, s.tags
   from reroll.attempts a join reroll.shots s on s.run = a.run and s.shot = a.shot
   where a.run = $1 and a.shot = $2 and a.number = $3`,
);

/** run, first shot, last shot, limit */
export const shotsPage = statement(
  'shots page',
  `select run, shot as index, prompt, request, priority, tags, outcome, reason, kept, published, round
   from reroll.shots where run = $1 and shot between $2 and $3 order by shot limit $4`,
);

/** run, first shot, last shot */
export const attemptsPage = statement(
  'attempts page',
  `select ${attemptColumns}
   from reroll.attempts a where run = $1 and shot between $2 and $3 order by shot, number`,
);
