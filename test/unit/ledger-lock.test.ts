import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LockedError, StorageError } from '../../src/errors.js';
import { readLock, takeLock } from '../../src/ledger/lock.js';

let home: string;
const children: ChildProcess[] = [];

beforeEach(async () => {
  home = join(await mkdtemp(join(tmpdir(), 'reroll-lock-')), '.reroll');
});
afterEach(async () => {
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
      () => { process.stdout.write('taken'); setInterval(() => {}, 1000); },
      (error) => process.stdout.write(error.name),
    );`;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script, home]);
  children.push(child);
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  expect(String(said)).toBe('taken');
  return { child, pid: child.pid! };
}

describe('the lock of a state folder', () => {
  it('makes the folder, and leaves no file of its own behind', async () => {
    const lock = await takeLock(home);
    expect(await readdir(home)).toEqual(['lock']);
    expect(await readLock(home)).toMatchObject({ pid: process.pid });
    await lock.release();
    expect(await readdir(home)).toEqual([]);
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

  it.runIf(process.platform === 'linux')('is free when another process has its pid by now', async () => {
    await (await takeLock(home)).release();
    await writeFile(join(home, 'lock'), JSON.stringify({ pid: process.pid, started: '1', nonce: 'n' }));
    expect(await readLock(home)).toBeUndefined();
    await (await takeLock(home)).release();
  });

  it('goes by the pid alone where nobody knows when processes began', async () => {
    await (await takeLock(home)).release();
    await writeFile(join(home, 'lock'), JSON.stringify({ pid: process.pid, nonce: 'n' }));
    await expect(takeLock(home)).rejects.toThrow(LockedError);
    // Larger than any pid.
    await writeFile(join(home, 'lock'), JSON.stringify({ pid: 2 ** 30, nonce: 'n' }));
    await (await takeLock(home)).release();
  });

  it('is free when its file was cut off by a power failure', async () => {
    await (await takeLock(home)).release();
    await writeFile(join(home, 'lock'), '{"pid": 1');
    await (await takeLock(home)).release();
  });

  it('goes to exactly one of many who find it stale at the same moment', async () => {
    await (await takeLock(home)).release();
    for (let round = 0; round < 50; round++) {
      await writeFile(join(home, 'lock'), JSON.stringify({ pid: 2 ** 30, nonce: `dead-${round}` }));
      const tries = await Promise.allSettled(Array.from({ length: 8 }, () => takeLock(home)));
      const won = tries.filter((attempt) => attempt.status === 'fulfilled');
      const lost = tries.filter((attempt) => attempt.status === 'rejected');
      expect(won).toHaveLength(1);
      for (const { reason } of lost) expect(reason).toBeInstanceOf(LockedError);
      expect(await readdir(home)).toEqual(['lock']);
      await won[0]!.value.release();
    }
  });

  it('is free even where a process died while it was removing a stale one', async () => {
    await (await takeLock(home)).release();
    const dead = (nonce: string) => JSON.stringify({ pid: 2 ** 30, nonce });
    await writeFile(join(home, 'lock'), dead('first'));
    await writeFile(join(home, 'lock.first'), dead('second'));
    await (await takeLock(home)).release();
    expect(await readdir(home)).toEqual([]);
  });

  it('tells clients where the control socket of its owner is', async () => {
    const lock = await takeLock(home);
    await lock.setControl('/run/reroll.sock');
    expect(await readLock(home)).toMatchObject({ pid: process.pid, control: '/run/reroll.sock' });
    await expect(takeLock(home)).rejects.toThrow(LockedError);
    await lock.release();
    expect(await readdir(home)).toEqual([]);
  });

  it('leaves a lock alone that is not its own any more', async () => {
    const lock = await takeLock(home);
    const other = JSON.stringify({ pid: process.pid, nonce: 'other' });
    await writeFile(join(home, 'lock'), other);
    await lock.release();
    expect(await readFile(join(home, 'lock'), 'utf8')).toBe(other);
  });

  it('says so plainly where the folder cannot be made', async () => {
    await writeFile(home, 'a file');
    await expect(takeLock(home)).rejects.toThrow(StorageError);
    await expect(takeLock(join(home, 'below'))).rejects.toThrow(/is a file, not a folder/);
  });
});
