import { chmod, lstat, mkdtemp, readdir, rm, truncate, mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StorageError } from '../../src/errors.js';
import { openLedger } from '../../src/ledger/index.js';
import { freshHome } from '../support/home.js';

let home: string;
beforeEach(async () => {
  home = await freshHome(join(await mkdtemp(join(tmpdir(), 'reroll-folder-')), '.reroll'));
});
afterEach(() => rm(join(home, '..'), { recursive: true }));

const logs = async () => {
  const folder = join(home, 'db', 'pg_wal');
  return (await readdir(folder))
    .filter((name) => /^[0-9A-F]{24}$/.test(name))
    .map((name) => join(folder, name));
};

const damages: [string, () => Promise<unknown>][] = [
  [
    'whose log was zeroed',
    async () => {
      for (const file of await logs()) {
        await truncate(file, 0);
        await truncate(file, 2 ** 24);
      }
    },
  ],
  [
    'whose log is gone',
    async () => {
      for (const file of await logs()) await rm(file);
    },
  ],
  ['whose control file is empty', () => truncate(join(home, 'db', 'global', 'pg_control'), 0)],
  ['whose control file is gone', () => rm(join(home, 'db', 'global', 'pg_control'))],
  ['without its version', () => rm(join(home, 'db', 'PG_VERSION'))],
  ['with a folder missing', () => rm(join(home, 'db', 'base'), { recursive: true })],
];

describe('the embedded database', () => {
  it.each(damages)('%s is refused in words, and stays as it is', async (_, damage) => {
    await damage();
    const before = (await readdir(join(home, 'db'))).sort();
    for (let look = 0; look < 2; look++) {
      const opening = openLedger({ home });
      await expect(opening).rejects.toThrow(StorageError);
      await expect(opening).rejects.toThrow(`The ledger in ${join(home, 'db')} is damaged`);
      await expect(opening).rejects.toThrow('REROLL_HOME');
    }
    expect((await readdir(join(home, 'db'))).filter((name) => name !== 'postmaster.pid').sort()).toEqual(
      before.filter((name) => name !== 'postmaster.pid'),
    );
  });
});

const openToOthers = async () => {
  const entries = [home, ...(await readdir(home, { recursive: true })).map((name) => join(home, name))];
  const modes = await Promise.all(
    entries.map(async (path) => ({ path, mode: (await lstat(path)).mode & 0o777 })),
  );
  return modes.filter(({ mode }) => (mode & 0o077) !== 0);
};

describe.skipIf(process.platform === 'win32')('the state folder', () => {
  it('is closed to others at every opening, which is told, and what is written stays closed', async () => {
    const umask = process.umask(0);
    try {
      await chmod(home, 0o777);
      await chmod(join(home, 'db', 'base'), 0o777);
      await chmod(join(home, 'db', 'PG_VERSION'), 0o666);
      const told: string[] = [];
      const warn = (message: string) => void told.push(message);
      const first = await openLedger({ home, warn });
      expect(told).toEqual([
        expect.stringMatching(/^Other users could read or change \d+ files in .* Now only you can\.$/),
      ]);
      await first.pool.query('CREATE TABLE public.written AS SELECT * FROM generate_series(1, 1000)');
      await first.pool.query('CHECKPOINT');
      expect(await openToOthers()).toEqual([]);
      await first.close();
      const second = await openLedger({ home, warn });
      await second.close();
      expect(told).toHaveLength(1);
    } finally {
      process.umask(umask);
    }
  });

  it('is made closed to others', async () => {
    const umask = process.umask(0);
    try {
      await rm(home, { recursive: true });
      await (await openLedger({ home, warn: (message) => expect.fail(message) })).close();
      expect(await openToOthers()).toEqual([]);
    } finally {
      process.umask(umask);
    }
  });

  it('is rid of half copies of a database that a killed process left', async () => {
    await mkdir(join(home, 'db.4711', 'base'), { recursive: true });
    await mkdir(join(home, 'db.0b6a1c52-97a4-4a1c-9b1e-0a1c5297a44a.new'));
    await mkdir(join(home, 'db.backup'));
    await writeFile(join(home, 'mine'), '');
    await (await openLedger({ home })).close();
    expect((await readdir(home)).sort()).toEqual(['db', 'db.backup', 'lock', 'mine']);
  });
});
