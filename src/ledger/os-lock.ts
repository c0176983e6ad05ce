import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync } from 'node:fs';
import { readFile, statfs } from 'node:fs/promises';
import { resolve, sep } from 'node:path';
import { text } from 'node:stream/consumers';
import { StorageError, systemCode } from '../errors.js';

/**
 * Opens `file`, made if there is none, with a lock of the operating system's on it: an open file descriptor, or
 * undefined where somebody else's lock is in the way. The lock ends when the descriptor is closed, so with this
 * process, however that ends; processes that we start do not inherit it. It holds among processes of one kernel, in
 * whatever containers, and among machines where the file system carries it (`reachesAllHosts`).
 */
export async function tryLock(file: string, kind: 'exclusive' | 'shared'): Promise<number | undefined> {
  // A plain descriptor, not a FileHandle: the garbage collector closes those.
  const { O_CREAT, O_RDWR } = constants;
  if (process.platform !== 'linux') return openLocked(file, O_CREAT | O_RDWR | flags[kind]);
  const fd = openSync(file, O_CREAT | O_RDWR, 0o600);
  try {
    if (await flock(fd, kind)) return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  closeSync(fd);
  return undefined;
}

/** Flags of open(2) that Node does not name: O_NONBLOCK with O_EXLOCK or O_SHLOCK of macOS and the BSDs; UV_FS_O_EXLOCK. */
const flags =
  process.platform === 'win32'
    ? { exclusive: 0x1000_0000, shared: 0 }
    : { exclusive: 0x04 | 0x20, shared: 0x04 | 0x10 };

function openLocked(file: string, mode: number): number | undefined {
  try {
    return openSync(file, mode, 0o600);
  } catch (error) {
    if (['EAGAIN', 'EBUSY'].includes(systemCode(error) ?? '')) return undefined;
    throw error;
  }
}

/**
 * Node has no flock(2), but every Linux has flock(1), in util-linux or busybox. It locks the open file that it inherits from
 * us, and that lock stays when the command ends: it belongs to the open file, which is ours too.
 */
async function flock(fd: number, kind: 'exclusive' | 'shared'): Promise<boolean> {
  const child = spawn('flock', [kind === 'exclusive' ? '-xn' : '-sn', '3'], {
    stdio: ['ignore', 'ignore', 'pipe', fd],
  });
  const said = text(child.stderr as NodeJS.ReadableStream).catch(() => '');
  let code: number | null;
  try {
    [code] = (await once(child, 'close')) as [number | null];
  } catch (error) {
    throw new StorageError(
      'The state folder cannot be locked: there is no command `flock` here. Install it (util-linux), or keep the ledger in PostgreSQL with REROLL_DATABASE_URL.',
      { cause: error },
    );
  }
  if (code === 0) return true;
  const words = (await said).trim();
  // Busybox ends with 1 for errors too, but says which.
  if (code === 1 && words === '') return false;
  throw new StorageError(
    `The state folder cannot be locked: ${words || `flock ended with ${code}`}. Set REROLL_HOME to a folder on a local disk, or keep the ledger in PostgreSQL with REROLL_DATABASE_URL.`,
  );
}

/** File systems of one kernel alone: what it knows of locks is all that there is. Magic numbers of statfs(2). */
const local = new Set([
  0xef53, // ext2 to ext4
  0x5846_5342, // XFS
  0x9123_683e, // btrfs
  0x2fc1_2fc1, // ZFS
  0xf2f5_2010, // F2FS
  0xca45_1a4e, // bcachefs
  0x0102_1994, // tmpfs
  0x794c_7630, // overlayfs
  0x4d44, // FAT
  0x2011_bab0, // exFAT
  0x7366_746e, // NTFS
]);
const nfs = 0x6969;

/** Whether every machine that sees the folder sees its locks. False where that is not known. */
export async function reachesAllHosts(folder: string): Promise<boolean> {
  if (process.platform !== 'linux') return false;
  const { type } = await statfs(folder);
  if (type !== nfs) return local.has(type);
  // NFS passes locks to its server, unless it was mounted not to.
  const options = await mountOptions(folder);
  return options !== undefined && !/\bnolock\b|\blocal_lock=(?!none)/.test(options);
}

/** The options of the mount that `folder` is on: the last field of its line in /proc/self/mountinfo (proc_pid_mountinfo(5)). */
async function mountOptions(folder: string): Promise<string | undefined> {
  const lines = (await readFile('/proc/self/mountinfo', 'utf8')).trimEnd().split('\n');
  const mounts = lines.map((line) => ({ fields: line.split(' '), at: line.split(' ')[4] ?? '' }));
  const path = resolve(folder) + sep;
  const around = mounts.filter(({ at }) => path.startsWith(at.endsWith(sep) ? at : at + sep));
  return around.sort((a, b) => b.at.length - a.at.length)[0]?.fields.at(-1);
}

/** Tells this start of this kernel from every other, in all its containers; undefined where there is no such thing. */
export async function bootId(): Promise<string | undefined> {
  const id = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => undefined);
  return id?.trim();
}
