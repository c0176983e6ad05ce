import { execFile } from 'node:child_process';
import { cp, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

const execute = promisify(execFile);
let folder: string;
let files: string[];

// Packed from a copy of what git tracks, so that `prepack` has to build it and rebuilds no dist/ that other tests run.
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reroll-pack-'));
  const clone = join(folder, 'clone');
  const { stdout: tracked } = await execute('git', ['ls-files', '-z', '-co', '--exclude-standard']);
  for (const file of tracked.split('\0').filter(Boolean)) await cp(file, join(clone, file));
  await symlink(resolve('node_modules'), join(clone, 'node_modules'));
  await writeFile(join(clone, 'config/private.log'), 'private');
  await execute('npm', ['pack', '--silent', '--pack-destination', folder], { cwd: clone });
  await execute('tar', ['xzf', 'reroll-0.1.0.tgz'], { cwd: folder });
  // Its dependencies are this checkout's: what is tried here is what the tarball holds.
  await symlink(resolve('node_modules'), join(folder, 'package/node_modules'));
  const { stdout: packed } = await execute('find', ['.', '-type', 'f'], {
    cwd: join(folder, 'package'),
  });
  files = packed.trim().split('\n');
}, 120_000);

afterAll(() => rm(folder, { recursive: true, force: true }));

test('a pack of a fresh clone has the command, the docs, and nothing of tests, benchmarks or state', async () => {
  expect(files).toContain('./dist/src/cli/main.js');
  expect(files).toContain('./docs/pipeline.md');
  expect(files).toContain('./config/workflows/sd15.api.json');
  expect(files.filter((file) => /\/(bench|scripts|test|out|\.reroll)\/|\.log$/.test(file))).toEqual([]);
  const { stdout } = await execute('node', [join(folder, 'package/dist/src/cli/main.js'), '--help']);
  expect(stdout).toContain('reroll');
});

test('the library is imported by its name, with types', async () => {
  const program = join(folder, 'package/program.mts');
  await writeFile(
    program,
    `import { openState, RunHere, LocalService, loadPipeline, type Service } from 'reroll';
export const all: unknown[] = [openState, RunHere, LocalService, loadPipeline];
export const runs = (service: Service) => service.submit;
// @ts-expect-error: a state folder is named by a text
void (() => openState(1, {}));
console.log(all.every((one) => typeof one === 'function'));
`,
  );
  const compiler = resolve('node_modules/.bin/tsc');
  const options = '--module NodeNext --target ES2023 --strict --skipLibCheck --types node';
  await execute(compiler, [...options.split(' '), program], { cwd: join(folder, 'package') });
  const { stdout } = await execute('node', [program.replace('.mts', '.mjs')]);
  expect(stdout).toBe('true\n');
}, 60_000);

test('the demo runs in an empty folder, and writes nothing where the package lies', async () => {
  const empty = await mkdtemp(join(folder, 'empty-'));
  await execute('node', [join(folder, 'package/dist/src/cli/main.js'), 'demo'], { cwd: empty });
  const { stdout } = await execute('find', ['out', '-name', 'report.html'], { cwd: empty });
  expect(stdout).toContain('report.html');
  const inside = await execute('find', [join(folder, 'package'), '-name', '.reroll']);
  expect(inside.stdout).toBe('');
}, 90_000);
