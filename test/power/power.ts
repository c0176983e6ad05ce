import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { startSketchServer } from '../../sketch/index.js';
import { inspectImage, provenanceKeyword, readTextChunks } from '../../src/images/index.js';
import { openLedger, type Run, type ShotRecord } from '../../src/ledger/index.js';
import { makeWorkspace, tinyModel } from '../support/workspace.js';
import { differences, readDisk, readJournal, saidUntil, writeAfterCut } from './disk.js';

const id = 'cut-1';

/** A run that was written down, and can be cut off anywhere. */
export interface Recorded {
  /** Cuts the power at a place of chance and looks at what is left. Throws where something is lost. */
  cut(seed: number): Promise<void>;
  /** Goes on with what the last cut left. Throws where it does not come to the same end. */
  resume(): Promise<void>;
  remove(): Promise<void>;
}

/** Whether the library that sees a process's writes can be built here: Linux with a C compiler. */
export function canCut(): boolean {
  if (process.platform === 'linux' && spawnSync('cc', ['--version']).status === 0) return true;
  if (process.env['CI'] === 'true') throw new Error('there is no C compiler: apt-get install gcc libc6-dev');
  console.log('Skipping the power cuts: they need Linux and a C compiler (gcc, libc6-dev).');
  return false;
}

/** Runs a pipeline in a folder that had no state, and keeps all that it wrote, synced and said. */
export async function record(shots: number): Promise<Recorded> {
  const tools = await mkdtemp(join(tmpdir(), 'reroll-power-'));
  const server = await startSketchServer({ port: 0, latencyMs: 5, badRate: 0.4 });
  const workspace = await makeWorkspace({
    name: 'cut',
    seed: 5,
    backends: [{ name: 'gpu', kind: 'a1111', url: server.url, slots: 2 }],
    generate: { width: 64, height: 64, steps: 1 },
    prompts: [{ text: 'a hand', count: shots }],
    gate: { model: tinyModel },
    retry: { attempts: 4, ladder: ['new_seed'] },
    output: { dir: 'out', keep_rejected: true },
  });
  const { dir } = workspace;
  await rm(join(dir, '.reroll'), { recursive: true });
  const before = await readDisk(dir);
  const finished = await workspace.reroll(['run', 'pipeline.yaml', '--json'], {
    LD_PRELOAD: buildLibrary(tools),
    POWER_ROOT: dir,
    POWER_JOURNAL: join(tools, 'journal'),
    // What the kernel does on its own is not seen.
    UV_USE_IO_URING: '0',
  });
  if (finished.code === null || finished.code > 1) throw new Error(finished.stderr);
  const journal = await readJournal(join(tools, 'journal'));
  const manifest = async () => JSON.stringify(await workspace.manifest(id));
  const undisturbed = await manifest();
  const completed = journal.findIndex((entry) => entry.kind === 'said' && entry.text.includes('"manifest"'));
  const first = journal.findIndex((entry) => entry.kind === 'said' && entry.text.includes('accepted'));

  const all = { at: journal.length, survival: 1, random: () => 0 };
  await writeAfterCut(before, journal, all, join(tools, 'all'));
  const missed = await differences(dir, join(tools, 'all'));
  if (missed.length > 0) throw new Error(`the journal does not tell all: ${missed.join(', ')}`);

  return {
    async cut(seed) {
      const random = randomFrom(seed);
      // Now and then while the state folder is being made; mostly while images come and go.
      const [from, to] = random() < 0.1 ? [0, first] : [first, journal.length];
      const at = from + Math.floor(random() * (to - from + 1));
      const survival = [0, 1, 0.5, random()][Math.floor(random() * 4)] ?? 0;
      await rm(dir, { recursive: true });
      await writeAfterCut(before, journal, { at, survival, random }, dir);
      const { shots } = await readRun(dir);
      for (const [, shot] of saidUntil(journal, at).matchAll(/shot (\d+) accepted/g)) {
        const outcome = shots.find(({ index }) => index === Number(shot))?.outcome;
        if (outcome !== 'accepted')
          throw new Error(`shot ${shot}, told as accepted, is ${outcome ?? 'unknown'}`);
      }
      for (const shot of shots) await checkFiles(dir, shot);
      if (at > completed && (await manifest()) !== undisturbed)
        throw new Error('the manifest of a run that was told as completed is lost');
    },
    async resume() {
      const { run } = await readRun(dir);
      if (run?.state !== 'completed') {
        const args = run ? ['resume', id] : ['run', 'pipeline.yaml'];
        const { code, stderr } = await workspace.reroll([...args, '--json']);
        if (code === null || code > 1) throw new Error(`${args.join(' ')} after a cut: ${stderr}`);
      }
      if ((await manifest()) !== undisturbed)
        throw new Error('the run came to another end than the undisturbed one');
    },
    async remove() {
      await Promise.all([server.close(), workspace.remove(), rm(tools, { recursive: true })]);
    },
  };
}

function buildLibrary(folder: string): string {
  const library = join(folder, 'journal.so');
  const flags = [
    '-shared',
    '-fPIC',
    '-O1',
    '-o',
    library,
    resolve('test/power/journal.c'),
    '-ldl',
    '-lpthread',
  ];
  const built = spawnSync('cc', flags, { encoding: 'utf8' });
  if (built.status !== 0) throw new Error(built.stderr);
  return library;
}

/** What the ledger holds; it must open. */
async function readRun(dir: string): Promise<{ run: Run | undefined; shots: ShotRecord[] }> {
  const { ledger, close } = await openLedger({ home: join(dir, '.reroll') });
  try {
    const shots = [];
    for await (const shot of ledger.shots(id)) shots.push(shot);
    return { run: await ledger.run(id), shots };
  } finally {
    await close();
  }
}

/** The images that the ledger names are there and whole. */
async function checkFiles(dir: string, shot: ShotRecord): Promise<void> {
  const { index, published, attempts } = shot;
  if (published !== undefined) {
    const bytes = await readFile(join(dir, 'out', id, published));
    await inspectImage(bytes);
    const said = JSON.parse(readTextChunks(bytes).get(provenanceKeyword) ?? '{}') as { shot?: number };
    if (said.shot !== index) throw new Error(`${published} is shot ${index}'s, and says ${said.shot}`);
  }
  for (const { state, number, candidate } of attempts) {
    if (state !== 'generated' || !candidate) continue;
    const bytes = await readFile(join(dir, '.reroll', 'candidates', candidate.file));
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    if (sha256 !== candidate.sha256) throw new Error(`the candidate of ${index}.${number} is not whole`);
  }
}

/** Mulberry32: the same numbers for the same seed. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
