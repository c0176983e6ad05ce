import type pg from 'pg';
import { ConfigError } from '../errors.js';
import { migrations } from './migrations.js';
import { transaction } from './transaction.js';

/** Any number, as long as all processes use the same: only one may change the tables at a time. */
const migrationLock = 7_265_011;

/** Brings the database up to this version of reroll, all steps or none. */
export async function migrate(pool: pg.Pool): Promise<void> {
  await transaction(pool, async (client) => {
    await client.query('select pg_advisory_xact_lock($1)', [migrationLock]);
    await client.query('create schema if not exists reroll');
    await client.query(
      'create table if not exists reroll.migrations (number integer primary key, name text not null, applied_at timestamptz not null default now())',
    );
    const { rows } = await client.query<{ done: number }>(
      'select count(*)::int as done from reroll.migrations',
    );
    const done = rows[0]?.done ?? 0;
    if (done > migrations.length)
      throw new ConfigError(
        'A newer version of reroll has changed this database. Use that version, or another database.',
      );
    for (const [index, { name, sql }] of migrations.entries()) {
      if (index < done) continue;
      await client.query(sql);
      await client.query('insert into reroll.migrations (number, name) values ($1, $2)', [index + 1, name]);
    }
  });
}
