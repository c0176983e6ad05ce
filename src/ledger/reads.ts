import { and, asc, between, desc, eq, getTableColumns, sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import type pg from 'pg';
import { attempts, runs, shots } from './tables.js';

/** The ledger's reads, prepared: planning them anew would cost more than running them. */
/** What records have; the other columns are the ledger's own. */
const attemptColumns = without(getTableColumns(attempts), 'priority');
const shotColumns = without(getTableColumns(shots), 'attemptCount', 'waiting');

const progressColumns = {
  run: runs.id,
  state: runs.state,
  shots: runs.shots,
  accepted: runs.accepted,
  exhausted: runs.exhausted,
  failed: runs.failed,
  cancelled: runs.cancelled,
  attempts: runs.attempts,
  rejected: runs.rejected,
  due: runs.due,
  generated: runs.generated,
  serverErrors: runs.serverErrors,
};

/** The ledger's reads, prepared: planning them anew would cost more than running them. */
export function prepareReads(pool: pg.Pool) {
  const db = drizzle(pool);
  const { placeholder } = sql;
  return {
    run: db
      .select()
      .from(runs)
      .where(eq(runs.id, placeholder('id')))
      .prepare('reroll run'),
    runs: db.select().from(runs).orderBy(desc(runs.createdAt), desc(runs.id)).prepare('reroll runs'),
    progress: db
      .select(progressColumns)
      .from(runs)
      .where(eq(runs.id, placeholder('id')))
      .prepare('reroll progress'),
    attempt: db
      .select({ ...attemptColumns, tags: shots.tags })
      .from(attempts)
      .innerJoin(shots, and(eq(shots.run, attempts.run), eq(shots.index, attempts.shot)))
      .where(
        and(
          eq(attempts.run, placeholder('run')),
          eq(attempts.shot, placeholder('shot')),
          eq(attempts.number, placeholder('number')),
        ),
      )
      .prepare('reroll attempt'),
    shots: db
      .select(shotColumns)
      .from(shots)
      .where(
        and(eq(shots.run, placeholder('run')), between(shots.index, placeholder('from'), placeholder('to'))),
      )
      .orderBy(asc(shots.index))
      .limit(placeholder('limit'))
      .prepare('reroll shots page'),
    attempts: db
      .select(attemptColumns)
      .from(attempts)
      .where(
        and(
          eq(attempts.run, placeholder('run')),
          between(attempts.shot, placeholder('from'), placeholder('to')),
        ),
      )
      .orderBy(asc(attempts.shot), asc(attempts.number))
      .prepare('reroll attempts page'),
  };
}

function without<Columns extends object, Key extends keyof Columns>(
  columns: Columns,
  ...keys: Key[]
): Omit<Columns, Key> {
  const kept = Object.entries(columns).filter(([key]) => !keys.includes(key as Key));
  return Object.fromEntries(kept) as Omit<Columns, Key>;
}
