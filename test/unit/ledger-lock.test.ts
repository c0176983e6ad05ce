import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type * as fs from 'node:fs/promises';
import { mkdtemp, readdir, readFile, rm, stat, statfs, symlink, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LockedError, StorageError } from '../../src/errors.js';
import { readLock, takeLock } from '../../src/ledger/lock.js';

vi.mock('node:fs/promises', async (load) => {
  const real = await load<typeof fs>();
  return { ...real, statfs: vi.fn(real.statfs) };
});

let home: string;
const children: ChildProcess[] = [];

beforeEach(async () => {
  home = join(await mkdtemp(join(tmpdir(), 'reroll-lock-')), '.reroll');
});
afterEach(async () => {
  vi.mocked(statfs).mockReset();
  await Promise.all(children.splice(0).map(kill));
  await rm(join(home, '..'), { recursive: true });
});

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

/** A process that takes the lock and keeps it. */
async function holder(): Promise<{ child: ChildProcess; pid: number }> {
  const script = `
    import { takeLock } from './src/ledger/lock.js';
    await takeLock(process.argv[1]).then(
      async (lock) => { await lock.setControl('/control.sock'); process.stdout.write('taken'); setInterval(() => {}, 1000); },
      (error) => process.stdout.write(error.name),
    );`;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script, home]);
  children.push(child);
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  expect(String(said)).toBe('taken');
  return { child, pid: child.pid! };
}

const words = (change: object) =>
  JSON.stringify({ pid: 7, host: 'elsewhere', boot: 'another', nonce: 'n', ...change });
const leave = (text: string) => writeFile(join(home, 'owner.json'), text);

/** A file system that does not carry locks to other machines: a shared folder of a virtual machine, say. */
const foreign = () =>
  vi.mocked(statfs).mockResolvedValue({ type: 0x6573_5546 } as Awaited<ReturnType<typeof statfs>>);

describe('the lock of a state folder', () => {
  it('makes the folder for its owner alone, and says whose it is', async () => {
    const lock = await takeLock(home);
    expect((await stat(home)).mode & 0o777).toBe(0o700);
    expect(await readLock(home)).toMatchObject({ pid: process.pid, host: hostname() });
    await lock.release();
    expect(await readdir(home)).toEqual(['lock']);
    expect(await readLock(home)).toBeUndefined();
    await (await takeLock(home)).release();
  });

  it('is for one taker of a process, who is told that it is this process', async () => {
    const lock = await takeLock(home);
    await expect(takeLock(home)).rejects.toThrow(/this very process/);
    await lock.release();
  });

  it('keeps out a second process, names the first, and is free at once when that is killed', async () => {
    const { child, pid } = await holder();
    const refused = takeLock(home);
    await expect(refused).rejects.toThrow(LockedError);
    await expect(refused).rejects.toThrow(`pid ${pid}`);
    await expect(refused).rejects.toMatchObject({ owner: pid });
    expect(await readLock(home)).toMatchObject({ pid });

    await kill(child);
    expect(await readLock(home)).toBeUndefined();
    await (await takeLock(home)).release();
  });

  it('stays its holder’s, whatever the words beside it say, and however they are cut off', async () => {
    const { child } = await holder();
    for (const text of [
      '',
      '{"pid": 1',
      'null',
      words({ control: 'control.sock' }),
      words({ pid: 2 ** 30, control: 's' }),
    ]) {
      await leave(text);
      expect(await readLock(home), text).toBeDefined();
    }
    await expect(takeLock(home)).rejects.toThrow(LockedError);
    await kill(child);
    for (const text of ['', '{"pid": 1', 'null', '7', words({})]) {
      await leave(text);
      expect(await readLock(home), text).toBeUndefined();
      await (await takeLock(home)).release();
    }
  });

  it('waits for whoever holds it for a moment and says nowhere to ask', async () => {
    const look = await takeLock(home);
    await leave(words({}));
    const run = takeLock(home);
    await look.release();
    await (await run).release();
  });

  it('is not lost by twenty who only ask who holds it, and goes to exactly one of many', async () => {
    await (await takeLock(home)).release();
    for (let round = 0; round < 5; round++) {
      await leave(words({ nonce: `dead-${round}`, control: 's' }));
      const asking = Array.from({ length: 20 }, () => readLock(home));
      const tries = await Promise.allSettled(Array.from({ length: 8 }, () => takeLock(home)));
      await Promise.all(asking);
      const won = tries.filter((attempt) => attempt.status === 'fulfilled');
      expect(won).toHaveLength(1);
      for (const attempt of tries) {
        if (attempt.status === 'rejected') expect(attempt.reason).toBeInstanceOf(LockedError);
      }
      await won[0]!.value.release();
    }
  });

  it('is refused where another machine’s process may still hold it unseen, with what to do', async () => {
    await (await takeLock(home)).release();
    await leave(words({}));
    foreign();
    expect(await readLock(home)).toMatchObject({ pid: 7, host: 'elsewhere' });
    const refused = takeLock(home);
    await expect(refused).rejects.toThrow(LockedError);
    await expect(refused).rejects.toThrow(/pid 7 on elsewhere.*delete .*owner\.json/);
    await rm(join(home, 'owner.json'));
    await (await takeLock(home)).release();
  });

  it('is free there too where this machine’s own kernel would know its holder', async () => {
    const lock = await takeLock(home);
    const mine = await readFile(join(home, 'owner.json'), 'utf8');
    await lock.release();
    await leave(mine.replace(hostname(), 'another-container'));
    foreign();
    await (await takeLock(home)).release();
  });

  it('tells clients where the control socket of its owner is, wherever they see the folder', async () => {
    const lock = await takeLock(home);
    await lock.setControl('/run/reroll.sock');
    expect(await readLock(home)).toMatchObject({ pid: process.pid, control: '/run/reroll.sock' });
    await lock.setControl(join(home, 'control.sock'));
    const there = join(home, '..', 'mounted');
    await symlink(home, there);
    expect(await readLock(there)).toMatchObject({ control: join(there, 'control.sock') });
    await lock.release();
  });

  it('leaves words alone that are not its own any more', async () => {
    const lock = await takeLock(home);
    await leave(words({ nonce: 'other' }));
    await lock.release();
    expect(await readFile(join(home, 'owner.json'), 'utf8')).toBe(words({ nonce: 'other' }));
  });

  it('says so plainly where the folder cannot be made, or nothing can lock it', async () => {
    vi.stubEnv('PATH', '');
    await expect(takeLock(home)).rejects.toThrow(/no command `flock`.*util-linux/);
    vi.unstubAllEnvs();
    await rm(home, { recursive: true });
    await writeFile(home, 'a file');
    await expect(takeLock(home)).rejects.toThrow(StorageError);
    await expect(takeLock(join(home, 'below'))).rejects.toThrow(/is a file, not a folder/);
  });
});
