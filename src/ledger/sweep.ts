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
