import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { imageFiles } from '../../src/cli/image-files.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reroll-files-'));
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(folder, { recursive: true });
});

const found = async (name: string, stdin = Readable.from([])): Promise<string[]> => {
  const files = [];
  for await (const file of imageFiles([name], stdin)) files.push(relative(folder, file));
  return files;
};

it('links are followed, and folders that lie in themselves end', async () => {
  const elsewhere = join(folder, 'elsewhere');
  const here = join(folder, 'here');
  await mkdir(elsewhere);
  await mkdir(join(here, 'deep'), { recursive: true });
  await writeFile(join(elsewhere, 'a.png'), '');
  await symlink(elsewhere, join(here, 'linked'));
  await symlink(join(elsewhere, 'a.png'), join(here, 'b.png'));
  await symlink(here, join(here, 'deep', 'again'));
  await symlink(join(folder, 'nowhere'), join(here, 'c.png'));
  await symlink(elsewhere, join(elsewhere, 'self'));
  expect(await found(here)).toEqual(['here/b.png', 'here/linked/a.png']);
  expect(await found(`${here}/**/*.png`)).toEqual(['here/b.png', 'here/linked/a.png']);
});

it('formats that are left out are named', async () => {
  const written = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  for (const name of ['a.png', 'b.gif', 'c.AVIF', 'd.gif', 'e.txt']) await writeFile(join(folder, name), '');
  expect(await found(folder)).toEqual(['a.png']);
  expect(written.mock.calls.join('')).toContain('2 .gif, 1 .avif left out: reroll takes PNG, JPEG and WebP.');
});

it('a list on standard input ends with or without a newline', async () => {
  expect(await found('-', Readable.from([Buffer.from('a.png\n\nb.png\n')]))).toHaveLength(2);
  expect(await found('-', Readable.from([Buffer.from('a.png\nb.png')]))).toHaveLength(2);
});
