import fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import exifr from 'exifr';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { sweepTemporary, writeAtomically } from '../../src/base/atomic.js';
import { addTextChunk, openCandidates, publish, readTextChunks } from '../../src/images/index.js';
import { testPicture } from '../support/pictures.js';

let folder: string;
beforeEach(async () => {
  folder = await fs.mkdtemp(join(tmpdir(), 'reroll-images-'));
});
afterEach(async () => {
  vi.restoreAllMocks();
  await fs.rm(folder, { recursive: true, force: true });
});

const publishedPath = async (image: Parameters<typeof publish>[0]): Promise<string> =>
  (await publish(image))!.path;

const systemError = (code: string): Error => Object.assign(new Error(`${code}: simulated`), { code });

test('a candidate is stored, read, removed, and a whole run is removed', async () => {
  const candidates = await openCandidates(join(folder, 'candidates'));
  const stored = await candidates.put('run-1/3-1.png', Buffer.from('bytes'));
  expect(stored).toEqual({
    file: 'run-1/3-1.png',
    sha256: '277089d91c0bdf4f2e6862ba7e4a07605119431f5d13f726dd352b06f1b206a9',
  });
  expect((await candidates.read(stored.file)).toString()).toBe('bytes');
  await candidates.remove(stored.file);
  await candidates.remove(stored.file);
  await expect(candidates.read(stored.file)).rejects.toMatchObject({ name: 'GoneError' });
  await candidates.put('run-1/4-1.png', Buffer.from('a'));
  await candidates.put('run-2/1-1.png', Buffer.from('b'));
  await candidates.removeAll('run-1');
  expect(await fs.readdir(join(folder, 'candidates'))).toEqual(['run-2']);
});

test('no name leads out of the folder: not by dots, not absolute, not by a link', async () => {
  const candidates = await openCandidates(join(folder, 'candidates'));
  await fs.mkdir(join(folder, 'elsewhere'));
  await fs.symlink(join(folder, 'elsewhere'), join(folder, 'candidates', 'link'));
  for (const name of ['../a.png', 'b/../../a.png', '/tmp/a.png', 'link/a.png', 'link/deep/a.png', '', '.']) {
    await expect(candidates.put(name, Buffer.from('x')), name).rejects.toMatchObject({ name: 'ConfigError' });
    await expect(candidates.removeAll(name), name).rejects.toMatchObject({ name: 'ConfigError' });
  }
  await fs.writeFile(join(folder, 'secret'), 's');
  await fs.symlink(join(folder, 'secret'), join(folder, 'candidates', 'leak.png'));
  await expect(candidates.read('leak.png')).rejects.toMatchObject({ name: 'ConfigError' });
  expect(await fs.readdir(join(folder, 'elsewhere'))).toEqual([]);
});

test.each([
  ['ENOSPC', /disk is full: free some space/],
  ['EROFS', /read-only: choose another folder/],
])(
  '%s while writing is a StorageError that says what to do, and leaves no half file',
  async (code, message) => {
    const open = fs.open.bind(fs);
    vi.spyOn(fs, 'open').mockImplementation(async (...args) => {
      const file = await open(...args);
      vi.spyOn(file, 'sync').mockRejectedValue(systemError(code));
      return file;
    });
    const error: unknown = await writeAtomically(join(folder, 'a.png'), 'x').catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ name: 'StorageError', message: expect.stringMatching(message) as string });
    expect((error as Error).message).toContain(folder);
    vi.restoreAllMocks();
    expect(await fs.readdir(folder)).toEqual([]);
  },
);

test('a folder without permission, or whose place a file takes, is a StorageError', async () => {
  vi.spyOn(fs, 'mkdir').mockRejectedValueOnce(systemError('EACCES'));
  await expect(openCandidates(join(folder, 'no'))).rejects.toThrow(
    /no: no permission: choose another folder/,
  );
  await fs.writeFile(join(folder, 'file'), '');
  const image = {
    folder: join(folder, 'file', 'out'),
    relativePath: 'a.png',
    bytes: Buffer.from(''),
    provenance: {},
  };
  await expect(publish(image)).rejects.toMatchObject({ name: 'StorageError' });
});

test('a reader never sees half a file, and a failed write keeps the old one', async () => {
  const path = join(folder, 'manifest.jsonl');
  await writeAtomically(path, 'old');
  const cut = async function* (): AsyncGenerator<string> {
    yield 'half';
    expect(await fs.readFile(path, 'utf8')).toBe('old');
    throw new Error('the ledger went away');
  };
  await expect(writeAtomically(path, cut())).rejects.toThrow('the ledger went away');
  expect(await fs.readFile(path, 'utf8')).toBe('old');
  expect(await fs.readdir(folder)).toEqual(['manifest.jsonl']);
});

test('what is left of a write that was killed goes, and nothing else', async () => {
  const left = join(folder, 'left', 'below');
  await fs.mkdir(left, { recursive: true });
  const cut = async function* (): AsyncGenerator<string> {
    yield 'half';
    for (const name of await fs.readdir(folder, { withFileTypes: true }))
      if (name.isFile()) await fs.copyFile(join(folder, name.name), join(left, name.name));
  };
  await writeAtomically(join(folder, 'über\nzwei.png'), cut());
  expect(await fs.readdir(left)).toEqual([expect.stringMatching(/^\.über\nzwei\.png\..*\.tmp$/)]);
  for (const name of ['.mine.tmp', 'mine.0b6a1c52-97a4-4a1c-9b1e-0a1c5297a44a.tmp', '1.png'])
    await fs.writeFile(join(left, name), '');
  await sweepTemporary(join(folder, 'left'), 10_000);
  expect(await fs.readdir(left)).toHaveLength(4);
  await sweepTemporary(join(folder, 'left'), 0);
  expect((await fs.readdir(left)).sort()).toEqual([
    '.mine.tmp',
    '1.png',
    'mine.0b6a1c52-97a4-4a1c-9b1e-0a1c5297a44a.tmp',
  ]);
  await sweepTemporary(join(folder, 'none'), 0);
});

test("a published PNG keeps the server's bytes and infotext, and says how it was made", async () => {
  const bytes = addTextChunk(await testPicture(32, 32).png().toBuffer(), 'parameters', 'a hand\nSteps: 20');
  const provenance = { prompt: 'eine Hand, 手 🖐', seed: 4294967295, attempt: 2 };
  const path = await publishedPath({
    folder: join(folder, 'out'),
    relativePath: 'p1/1.png',
    bytes,
    provenance,
  });
  expect(path).toBe(join(await fs.realpath(folder), 'out', 'p1', '1.png'));
  const published = await fs.readFile(path);

  const { comments } = await sharp(published).metadata();
  const bySharp = Object.fromEntries((comments ?? []).map(({ keyword, text }) => [keyword, text]));
  expect(JSON.parse(bySharp['reroll']!)).toEqual(provenance);
  expect(bySharp['parameters']).toBe('a hand\nSteps: 20');
  const byExifr = (await exifr.parse(published, true)) as { reroll: string; parameters: string };
  expect(JSON.parse(byExifr.reroll)).toEqual(provenance);
  expect(readTextChunks(published).get('reroll')).toBe(bySharp['reroll']);
  const added = published.length - bytes.length;
  const at = bytes.indexOf('IDAT') - 4;
  expect(Buffer.concat([published.subarray(0, at), published.subarray(at + added)]).equals(bytes)).toBe(true);
});

test("a server's own text of our name does not stand in the place of ours", async () => {
  const plain = await testPicture(64, 64).png().toBuffer();
  const forged = addTextChunk(addTextChunk(plain, 'reroll', '{"run":"x","shot":1}'), 'parameters', 'a hand');
  const image = { folder, relativePath: 'a.png', bytes: forged, provenance: { run: 'r', shot: 2 } };
  const bytes = await fs.readFile(await publishedPath(image));
  expect(JSON.parse(readTextChunks(bytes).get('reroll') ?? '')).toEqual({ run: 'r', shot: 2 });
  expect(readTextChunks(bytes).get('parameters')).toBe('a hand');
  expect(bytes.includes('"run":"x"')).toBe(false);
  expect(await publishedPath(image)).toBe(join(folder, 'a.png'));
});

test('a published JPEG is untouched, and its provenance lies beside it', async () => {
  const bytes = await testPicture(32, 32).jpeg().toBuffer();
  const path = await publishedPath({ folder, relativePath: '1.jpg', bytes, provenance: { seed: 7 } });
  expect((await fs.readFile(path)).equals(bytes)).toBe(true);
  expect(JSON.parse(await fs.readFile(`${path}.json`, 'utf8'))).toEqual({ seed: 7 });
});

describe('publishing', () => {
  const mine = { run: 'a-1', shot: 1 };
  const publishAs = async (provenance: object, format: 'png' | 'jpeg', relativePath = `x.${format}`) =>
    publish({
      folder,
      relativePath,
      bytes: await testPicture(8, 8).toFormat(format).toBuffer(),
      provenance: { ...provenance },
    });

  test.each(['png', 'jpeg'] as const)('repeats its own %s and overwrites no other', async (format) => {
    const first = await publishAs(mine, format);
    expect(await publishAs(mine, format)).toEqual(first);
    const before = await fs.readFile(first!.path);
    expect(await publishAs({ run: 'a-1', shot: 2 }, format)).toBeUndefined();
    expect(await publishAs({ run: 'a-2', shot: 1 }, format)).toBeUndefined();
    expect(await fs.readFile(first!.path)).toEqual(before);
  });

  test.each(['png', 'jpeg'] as const)(
    'takes no name from a file, a folder or a link beside a %s',
    async (format) => {
      await fs.writeFile(join(folder, `text.${format}`), 'mine since May');
      await fs.mkdir(join(folder, `folder.${format}`));
      await fs.symlink(join(folder, `text.${format}`), join(folder, `link.${format}`));
      for (const name of ['text', 'folder', 'link'])
        expect(await publishAs(mine, format, `${name}.${format}`)).toBeUndefined();
      expect(await fs.readFile(join(folder, `text.${format}`), 'utf8')).toBe('mine since May');
    },
  );

  test("a JPEG leaves a note beside it that is not the run's", async () => {
    await fs.writeFile(join(folder, 'x.jpeg.json'), '{"my":"note"}');
    expect(await publishAs(mine, 'jpeg')).toBeUndefined();
    expect(await fs.readdir(folder)).toEqual(['x.jpeg.json']);
  });
});
