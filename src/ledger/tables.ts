import { sql } from 'drizzle-orm';
import {
  bigint,
  boolean,
  index,
  integer,
  jsonb,
  pgSchema,
  primaryKey,
  text,
  timestamp,
  uniqueIndex,
} from 'drizzle-orm/pg-core';
import type { ImageRequest, Json, Outcome, Repair, RunState, Verdict } from '../loop/index.js';
import type { AttemptState, Candidate } from './types.js';

/**
 * The ledger's tables, in a schema of their own: the queue may live in the same database.
 * A change here needs a new migration (migrations.ts); a test compares the two.
 */
export const reroll = pgSchema('reroll');

const moment = (name: string) => timestamp(name, { withTimezone: true });
const count = (name: string) => integer(name).notNull().default(0);

export const runs = reroll.table('runs', {
  id: text('id').primaryKey(),
  name: text('name').notNull(),
  pipelineFile: text('pipeline_file').notNull(),
  pipeline: jsonb('pipeline').$type<Json>().notNull(),
  seed: bigint('seed', { mode: 'number' }).notNull(),
  outputDir: text('output_dir').notNull(),
  state: text('state').$type<RunState>().notNull(),
  createdAt: moment('created_at').notNull().defaultNow(),
  finishedAt: moment('finished_at'),
  // Counters, kept in the transactions that change what they count: a display asks every second.
  shots: count('shots'),
  accepted: count('accepted'),
  exhausted: count('exhausted'),
  failed: count('failed'),
  cancelled: count('cancelled'),
  attempts: count('attempts'),
  rejected: count('rejected'),
  due: count('due'),
  generated: count('generated'),
  serverErrors: count('server_errors'),
});

export const shots = reroll.table(
  'shots',
  {
    run: text('run')
      .notNull()
      .references(() => runs.id),
    index: integer('shot').notNull(),
    prompt: text('prompt').notNull(),
    request: jsonb('request').$type<ImageRequest>().notNull(),
    priority: integer('priority').notNull(),
    tags: text('tags').array().notNull(),
    /** How many attempts exist: the number of the last one. */
    attemptCount: integer('attempts').notNull().default(1),
    /** The last attempt was rejected and the run's budget does not yet say whether there is another. */
    waiting: boolean('waiting').notNull().default(false),
    outcome: text('outcome').$type<Outcome>(),
    reason: text('reason'),
    kept: integer('kept'),
    published: text('published'),
  },
  (shot) => [
    primaryKey({ columns: [shot.run, shot.index] }),
    index('shots_waiting')
      .on(shot.run, shot.index)
      .where(sql`waiting`),
  ],
);

/** Whose file each path below a run's folder is. */
export const paths = reroll.table(
  'paths',
  {
    run: text('run').notNull(),
    /** The path as file systems compare it that know no capital letters. */
    folded: text('folded').notNull(),
    shot: integer('shot').notNull(),
    /** What the file would be called if no other shot had that name. */
    wanted: text('wanted').notNull(),
    path: text('path').notNull(),
  },
  (path) => [primaryKey({ columns: [path.run, path.folded] })],
);

export const attempts = reroll.table(
  'attempts',
  {
    run: text('run').notNull(),
    shot: integer('shot').notNull(),
    number: integer('number').notNull(),
    state: text('state').$type<AttemptState>().notNull(),
    /** The shot's, here too: one index gives what is due in order. */
    priority: integer('priority').notNull(),
    request: jsonb('request').$type<ImageRequest>().notNull(),
    lane: text('lane').notNull(),
    repair: jsonb('repair').$type<Repair>(),
    backend: text('backend'),
    remoteId: text('remote_id'),
    serverErrors: count('server_errors'),
    lastError: text('last_error'),
    candidate: jsonb('candidate').$type<Candidate>(),
    verdict: jsonb('verdict').$type<Verdict>(),
    model: jsonb('model').$type<Json>(),
    createdAt: moment('created_at').notNull().defaultNow(),
    generatedAt: moment('generated_at'),
    judgedAt: moment('judged_at'),
  },
  (attempt) => [
    primaryKey({ columns: [attempt.run, attempt.shot, attempt.number] }),
    // Lane by lane in the order of the queue: both listings of what is due read it from the start.
    index('attempts_open')
      .on(attempt.run, attempt.state, attempt.lane, attempt.priority.desc(), attempt.shot, attempt.number)
      .where(sql`state in ('due', 'generated')`),
    // That a shot has one open attempt at most is the database's business too: a bug cannot break it.
    uniqueIndex('attempts_one_open')
      .on(attempt.run, attempt.shot)
      .where(sql`state in ('due', 'generated')`),
  ],
);
