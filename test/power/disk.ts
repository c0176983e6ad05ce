import { lstat, mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** One thing that a process did below a folder, in the order of its journal (journal.c says what each is). */
type Entry =
  | { kind: 'create'; folder: number; name: string; inode: number; isFolder: boolean }
  | { kind: 'rename'; folder: number; name: string; to: string }
  | { kind: 'remove'; folder: number; name: string }
  | { kind: 'write'; inode: number; offset: number; length: number; bytes: Buffer | undefined }
  | { kind: 'size'; inode: number; length: number }
  | { kind: 'begin'; sync: number; inode: number }
  | { kind: 'end'; sync: number; inode: number }
  | { kind: 'said'; text: string };

type Content = Extract<Entry, { kind: 'write' | 'size' }>;
type Change = Extract<Entry, { kind: 'create' | 'rename' | 'remove' }>;

/** What of it the disk still had to write when the power went: 0 nothing of that, 1 all of it. */
export interface Cut {
  /** Entries of the journal before it. */
  at: number;
  /** Chance of each page, and of each folder's next change, to have reached the disk although nobody waited for it. */
  survival: number;
  random: () => number;
}

/** A disk writes in these, in any order. */
const page = 4096;

/** What is where: files by inode with their bytes, folders by inode with their names. */
interface Disk {
  root: number;
  files: Map<number, Buffer>;
  folders: Map<number, Map<string, number>>;
}

/** Reads a folder as the disk that all begins with. */
export async function readDisk(root: string): Promise<Disk> {
  const disk: Disk = { root: (await lstat(root)).ino, files: new Map(), folders: new Map() };
  const walk = async (path: string): Promise<void> => {
    const names = new Map<string, number>();
    disk.folders.set((await lstat(path)).ino, names);
    for (const name of await readdir(path)) {
      const inside = join(path, name);
      const entry = await lstat(inside);
      names.set(name, entry.ino);
      if (entry.isDirectory()) await walk(inside);
      else if (entry.isFile()) disk.files.set(entry.ino, await readFile(inside));
    }
  };
  await walk(root);
  return disk;
}

/** The names below two folders that are not the same in both. */
export async function differences(one: string, other: string): Promise<string[]> {
  const [a, b] = await Promise.all([one, other].map(async (root) => filesOf(await readDisk(root))));
  return [...new Set([...a!.keys(), ...b!.keys()])].filter((path) => a!.get(path) !== b!.get(path));
}

/** Each file's bytes, and each folder's absence of them, by path. */
function filesOf({ root, files, folders }: Disk): Map<string, string> {
  const found = new Map<string, string>();
  const walk = (inode: number, path: string): void => {
    found.set(path, files.get(inode)?.toString('latin1') ?? '');
    for (const [name, child] of folders.get(inode) ?? []) walk(child, `${path}/${name}`);
  };
  walk(root, '');
  return found;
}

export async function readJournal(path: string): Promise<Entry[]> {
  const bytes = await readFile(path);
  const entries: Entry[] = [];
  // File systems give the number of what is gone to something new: from there on it is another.
  const ids = new Map<number, number>();
  const idOf = (inode: number) => ids.get(inode) ?? inode;
  for (let at = 0; at < bytes.length;) {
    const end = bytes.indexOf(10, at);
    const [kind = '', ...texts] = bytes.toString('utf8', at, end).split(' ');
    const [first, second, third] = texts.map(Number) as [number, number, number];
    at = end + 1;
    const take = (length: number) => bytes.subarray(at, (at += length));
    switch (kind) {
      case 'create':
        ids.set(parseInt(texts[2]!), -entries.length - 1);
        entries.push({
          kind,
          folder: idOf(first),
          name: texts[1]!,
          inode: idOf(parseInt(texts[2]!)),
          isFolder: texts[2]!.endsWith('/'),
        });
        break;
      case 'rename':
        if (first !== third) throw new Error(`a rename from one folder to another: ${texts.join(' ')}`);
        entries.push({ kind, folder: idOf(first), name: texts[1]!, to: texts[3]! });
        break;
      case 'remove':
        entries.push({ kind, folder: idOf(first), name: texts[1]! });
        break;
      case 'write':
      case 'zeros':
        entries.push({
          kind: 'write',
          inode: idOf(first),
          offset: second,
          length: third,
          bytes: kind === 'write' ? take(third) : undefined,
        });
        break;
      case 'size':
        entries.push({ kind, inode: idOf(first), length: second });
        break;
      case 'begin':
        entries.push({ kind, sync: first, inode: idOf(second) });
        break;
      case 'end':
        entries.push({ kind, sync: first, inode: idOf(second) });
        break;
      case 'said':
        entries.push({ kind, text: take(first).toString() });
        break;
      default:
        throw new Error(`no entry of a journal: ${kind}`);
    }
  }
  return entries;
}

/** What the process had said by then. */
export function saidUntil(journal: readonly Entry[], at: number): string {
  return journal
    .slice(0, at)
    .flatMap((entry) => (entry.kind === 'said' ? entry.text : []))
    .join('');
}

/**
 * Writes into `target`, an empty folder, what a disk could hold after the power went: all that was synced, and of the
 * rest what chance let through. A folder keeps its changes in order, and has them on the disk when it was synced itself; a
 * file's pages reach it in any order.
 */
export async function writeAfterCut(
  before: Disk,
  journal: readonly Entry[],
  cut: Cut,
  target: string,
): Promise<void> {
  const files = new Map(before.files);
  const folders = new Map([...before.folders].map(([inode, names]) => [inode, new Map(names)]));
  const done = journal.slice(0, cut.at);
  for (const entry of done) {
    if (entry.kind === 'create' && entry.isFolder) folders.set(entry.inode, new Map());
  }
  const { contents, changes } = sortOut(done);
  for (const [folder, { list, synced }] of changes) {
    const names = folders.get(folder) ?? new Map<string, number>();
    folders.set(folder, names);
    let kept = synced;
    while (kept < list.length && cut.random() < cut.survival) kept++;
    for (const change of list.slice(0, kept)) apply(change, names);
  }
  for (const [inode, { list, synced, isNew }] of contents) {
    const old = isNew ? Buffer.alloc(0) : (files.get(inode) ?? Buffer.alloc(0));
    const reaches = (place: number) => place < synced || cut.random() < cut.survival;
    files.set(inode, contentOf(old, list, reaches));
  }
  const put = async (inode: number, path: string): Promise<void> => {
    const names = folders.get(inode);
    if (!names) return writeFile(path, files.get(inode) ?? '', { mode: 0o600 });
    await mkdir(path, { recursive: true, mode: 0o700 });
    for (const [name, child] of names) await put(child, join(path, name));
  };
  await put(before.root, target);
}

/** Each file's and each folder's changes, and how many of them were synced. */
function sortOut(journal: readonly Entry[]) {
  const contents = new Map<number, { list: Content[]; synced: number; isNew: boolean }>();
  const changes = new Map<number, { list: Change[]; synced: number }>();
  /** How many changes of its file or folder were there when a sync began. */
  const begun = new Map<number, number>();
  for (const entry of journal) {
    switch (entry.kind) {
      case 'create':
      case 'rename':
      case 'remove': {
        const folder = changes.get(entry.folder) ?? { list: [], synced: 0 };
        changes.set(entry.folder, folder);
        folder.list.push(entry);
        if (entry.kind !== 'create') break;
        if (!entry.isFolder) contents.set(entry.inode, { list: [], synced: 0, isNew: true });
        break;
      }
      case 'write':
      case 'size': {
        const file = contents.get(entry.inode) ?? { list: [], synced: 0, isNew: false };
        contents.set(entry.inode, file);
        file.list.push(entry);
        break;
      }
      case 'begin':
        begun.set(entry.sync, (contents.get(entry.inode) ?? changes.get(entry.inode))?.list.length ?? 0);
        break;
      case 'end': {
        const one = contents.get(entry.inode) ?? changes.get(entry.inode);
        if (one) one.synced = Math.max(one.synced, begun.get(entry.sync) ?? 0);
        break;
      }
      case 'said':
        break;
    }
  }
  return { contents, changes };
}

function apply(change: Change, names: Map<string, number>): void {
  if (change.kind === 'create') names.set(change.name, change.inode);
  else {
    const inode = names.get(change.name);
    names.delete(change.name);
    if (change.kind === 'rename' && inode !== undefined) names.set(change.to, inode);
  }
}

/** A file after its changes, of which `reaches` says, page by page, what reached the disk. */
function contentOf(before: Buffer, changes: readonly Content[], reaches: (place: number) => boolean): Buffer {
  const ends = changes.map((change) => change.length + (change.kind === 'write' ? change.offset : 0));
  const bytes = Buffer.alloc(Math.max(before.length, ...ends));
  before.copy(bytes);
  let size = before.length;
  changes.forEach((change, place) => {
    if (change.kind === 'size') {
      if (!reaches(place)) return;
      bytes.fill(0, change.length);
      size = change.length;
      return;
    }
    for (let done = 0; done < change.length;) {
      const at = change.offset + done;
      const length = Math.min(page - (at % page), change.length - done);
      if (reaches(place)) {
        if (change.bytes) change.bytes.copy(bytes, at, done, done + length);
        else bytes.fill(0, at, at + length);
        size = Math.max(size, at + length);
      }
      done += length;
    }
  });
  return bytes.subarray(0, size);
}
