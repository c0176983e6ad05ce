import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

const execute = promisify(execFile);
let folder: string;
let consumer: string;
let files: string[];
let printed: string;

/** A program of the consumer's folder. What this checkout's npm set for its own scripts is no setting of theirs. */
const there = (command: string, args: string[], cwd = consumer) =>
  execute(command, args, {
    cwd,
    env: Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !/^(npm_|ONNXRUNTIME)/i.test(name)),
    ),
  });

// Packed from a copy of what git tracks, so that `prepack` has to build it, and neither it nor this checkout's node_modules is
// touched (hard links). Of onnxruntime-node the copy has this platform's binaries alone: packing the others takes a minute.
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reroll-pack-'));
  consumer = join(folder, 'consumer');
  const clone = join(folder, 'clone');
  const { stdout: tracked } = await execute('git', ['ls-files', '-z', '-co', '--exclude-standard']);
  for (const file of tracked.split('\0').filter(Boolean)) await cp(file, join(clone, file));
  // Hard links where the file system can: /tmp may be another one than the checkout's.
  await execute('cp', ['-al', resolve('node_modules'), clone]).catch(() =>
    cp('node_modules', join(clone, 'node_modules')),
  );
  const binaries = join(clone, 'node_modules/onnxruntime-node/bin/napi-v6');
  for (const binary of await readdir(binaries, { recursive: true }))
    if (/\.(dll|dylib|so|node)\b/.test(binary) && !binary.startsWith(join(process.platform, process.arch)))
      await rm(join(binaries, binary));
  await writeFile(join(clone, 'config/private.log'), 'private');
  await there('npm', ['pack', '--silent', '--pack-destination', folder], clone);
  await mkdir(consumer);
  await writeFile(join(consumer, 'package.json'), '{"name":"consumer","version":"1.0.0","private":true}');
  const { stdout, stderr } = await there('npm', ['install', '--omit=dev', join(folder, 'reroll-0.1.0.tgz')]);
  printed = stdout + stderr;
  const found = await there(
    'find',
    ['.', '-type', 'f', '-not', '-path', './node_modules/*'],
    join(consumer, 'node_modules/reroll'),
  );
  files = found.stdout.trim().split('\n');
}, 300_000);

afterAll(() => rm(folder, { recursive: true, force: true }));

test('a pack of a fresh clone has the command, the docs, and nothing of tests, benchmarks or state', async () => {
  expect(files).toContain('./dist/src/cli/main.js');
  expect(files).toContain('./docs/pipeline.md');
  expect(files).toContain('./config/workflows/sd15.api.json');
  expect(files.filter((file) => /\/(bench|scripts|test|out|\.reroll)\/|\.log$/.test(file))).toEqual([]);
  const { stdout } = await there('npx', ['reroll', '--help']);
  expect(stdout).toContain('reroll');
});

test('installing it warns of nothing, fetches sharp alone, and brings no browser runtime and no script to run', async () => {
  expect(printed).not.toMatch(/warn|deprecated|error/i);
  const modules = join(consumer, 'node_modules');
  const beside = (await readdir(modules)).filter((name) => !name.startsWith('.'));
  expect(beside.sort()).toEqual(['@img', 'detect-libc', 'reroll', 'semver', 'sharp']);
  expect(await readdir(join(modules, 'reroll/node_modules'))).not.toContain('onnxruntime-web');
  const { stdout } = await there('npm', [
    'query',
    ':attr(scripts, [postinstall]), :attr(scripts, [install])',
  ]);
  expect(JSON.parse(stdout)).toEqual([]);
});

test('this checkout runs no install script of another package either, with any npm', async () => {
  // npm 11 and later read `allowScripts`; older ones go by what the lock file says. `npm install` writes it there again.
  const lock = await readFile('package-lock.json', 'utf8');
  expect(lock, "sed -i '/hasInstallScript/d' package-lock.json").not.toContain('hasInstallScript');
});

test('the library is imported by its name, with types', async () => {
  const program = join(consumer, 'program.mts');
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
  await symlink(resolve('node_modules/@types'), join(consumer, 'node_modules/@types'));
  const options = '--module NodeNext --target ES2023 --strict --skipLibCheck --types node';
  await there(resolve('node_modules/.bin/tsc'), [...options.split(' '), program]);
  const { stdout } = await there('node', [program.replace('.mts', '.mjs')]);
  expect(stdout).toBe('true\n');
}, 60_000);

test('the demo runs in an empty folder, and writes nothing where the package lies', async () => {
  const empty = await mkdtemp(join(folder, 'empty-'));
  await there('node', [join(consumer, 'node_modules/reroll/dist/src/cli/main.js'), 'demo'], empty);
  const { stdout } = await there('find', ['out', '-name', 'report.html'], empty);
  expect(stdout).toContain('report.html');
  const inside = await there('find', [join(consumer, 'node_modules/reroll'), '-name', '.reroll']);
  expect(inside.stdout).toBe('');
}, 90_000);
