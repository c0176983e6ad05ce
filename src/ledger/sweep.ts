import type pg from 'pg';

/** Shots last but one: runs are what they belong to. */
const tables = ['events', 'files', 'paths', 'standings', 'attempts', 'shots'] as const;

/** How far shots of a run with a budget are: of no use once it is over. */
const orIsOver = `or exists (
  select from reroll.runs r where r.id = x.run and r.state in ('completed', 'cancelled'))`;

/**
 * Deletes the records of `runs` that are over, and rows that no run has any more, within the transaction of `client`;
 * answers how many rows of each table. With `isDry` it only counts.
 */
export async function sweep(
  client: pg.PoolClient,
  { runs, isDry }: { runs: string[]; isDry: boolean },
): Promise<{ [table: string]: number }> {
  const { rows } = await client.query<{ id: string }>(
    `select id from reroll.runs where id = any ($1) and state in ('completed', 'cancelled') for update`,
    [runs],
  );
  const over = rows.map(({ id }) => id);
  const swept: { [table: string]: number } = {};
  for (const table of tables) {
    const where = `where run = any ($1) or not exists (select from reroll.runs r where r.id = x.run)
      ${table === 'standings' ? orIsOver : ''}`;
    swept[table] = await affected(client, `reroll.${table} x ${where}`, over, isDry);
  }
  swept.runs = await affected(client, 'reroll.runs x where id = any ($1)', over, isDry);
  return swept;
}

async function affected(
  client: pg.PoolClient,
  from: string,
  runs: string[],
  isDry: boolean,
): Promise<number> {
  if (!isDry) return (await client.query(`delete from ${from}`, [runs])).rowCount ?? 0;
  const { rows } = await client.query<{ count: number }>(`select count(*)::int as count from ${from}`, [
    runs,
  ]);
  return rows[0]?.count ?? 0;
}

/** The embedded database alone: it has one session, so that settings and checkpoints are this one's. */
export async function compact(pool: pg.Pool): Promise<void> {
  const { rows } = await pool.query<{ name: string }>(
    `select format('%I.%I', schemaname, tablename) as name from pg_tables
     where schemaname not in ('pg_catalog', 'information_schema')`,
  );
  // The catalogs of the tables that are written anew must not grow with each time.
  await pool.query('vacuum');
  await pool.query(`vacuum full ${rows.map(({ name }) => name).join(', ')}`);
  // Segments of its log, 16 MB each, would be kept to be written again. The one that was made ready is used up first.
  await pool.query('set wal_recycle = off');
  for (let segment = 0; segment < 2; segment++) {
    await pool.query('checkpoint');
    await pool.query('select pg_switch_wal()');
  }
  await pool.query('checkpoint');
  await pool.query('reset wal_recycle');
}
