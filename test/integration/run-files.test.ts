import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { loadPipeline } from '../../src/pipeline/index.js';
import { LocalService, newRun, openState, RunHere, type State } from '../../src/runtime/index.js';
import { startSketchServer, type SketchServer } from '../../sketch/index.js';
import { freshHome } from '../support/home.js';
import { testPicture } from '../support/pictures.js';
import { textToImage, type TestGraph } from '../support/sketch-graphs.js';
import { writeTinyModel } from '../support/tiny-model.js';

let dir: string;
let server: SketchServer;
let state: State;
let here: RunHere;
let service: LocalService;
const warnings: string[] = [];

/** A picture is loaded, and sampled from. */
function fromImage(steps: number): TestGraph {
  const graph = textToImage(1, 'x');
  graph['3']!.inputs = { ...graph['3']!.inputs, steps, denoise: 0.6, latent_image: ['11', 0] };
  graph['10'] = { class_type: 'LoadImage', inputs: { image: 'example.png' } };
  graph['11'] = { class_type: 'VAEEncode', inputs: { pixels: ['10', 0], vae: ['4', 2] } };
  return graph;
}

const inDir = (name: string) => join(dir, name);
const picture = (hue: string) => testPicture(64, 64).tint(hue).png().toBuffer();
/** As a server is told of a picture: by its content. */
const uploadName = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex').slice(0, 24);

async function open() {
  state = await openState(inDir('home'), {});
  here = new RunHere(state);
  service = new LocalService(state, here);
  state.events.listen((event) => event.type === 'warning' && warnings.push(event.message));
}

async function close() {
  await here.stop({ force: true });
  await state.close();
}

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'reroll-files-'));
  warnings.length = 0;
  server = await startSketchServer({ protocol: 'comfyui', latencyMs: 1, badRate: 0 });
  await writeTinyModel(inDir('model'), { weights: [1, 2, 3].map(() => [0, 0, 0, 0]) });
  await writeFile(inDir('workflow.json'), JSON.stringify(fromImage(7)));
  await writeFile(inDir('repair.json'), JSON.stringify(fromImage(5)));
  await writeFile(inDir('start.png'), await picture('red'));
  await writeFile(inDir('pose.png'), await picture('green'));
  await writeFile(inDir('rows.jsonl'), `${JSON.stringify({ text: 'a fist', init_image: 'row.png' })}\n`);
  await writeFile(inDir('row.png'), await picture('blue'));
  const config = {
    name: 'files',
    seed: 3,
    backends: [{ name: 'comfy', kind: 'comfyui', url: server.url, workflow: 'workflow.json' }],
    generate: { init_image: 'start.png', a1111: { alwayson_scripts: { c: { args: ['pose.png'] } } } },
    prompts: [{ text: 'a hand' }, { file: 'rows.jsonl' }],
    // Every label is as probable as any: all is rejected.
    gate: { model: './model', reject: [{ labels: ['*Bad_Anatomy'], threshold: 0.4 }] },
    retry: { attempts: 2, ladder: [{ repair: { with: 'workflow', workflow: 'repair.json' } }] },
    output: { dir: 'out' },
  };
  await writeFile(inDir('pipeline.yaml'), stringify(config));
  await freshHome(inDir('home'));
  await open();
});

afterEach(async () => {
  await close();
  await server.close();
  await rm(dir, { recursive: true, force: true });
});

const recorded = async () =>
  (await newRun(state, await loadPipeline(inDir('pipeline.yaml'), { env: {} })).record()).id;

/** What the server was sent for each attempt. */
async function sent(run: string) {
  const graphs = [];
  for await (const shot of state.ledger.shots(run)) {
    for (const { candidate } of shot.attempts) {
      const text = JSON.stringify(candidate?.sent);
      graphs.push({
        steps: /"steps":(\d+)/.exec(text)?.[1],
        image: /"image":"reroll\/(\w+)/.exec(text)?.[1],
      });
    }
  }
  return graphs;
}

describe('the files that a pipeline names', () => {
  it('are as they were when the run was recorded, whatever becomes of them, and the user is told', async () => {
    const run = await recorded();
    const [start, row] = await Promise.all([readFile(inDir('start.png')), readFile(inDir('row.png'))]);
    await close();
    await writeFile(inDir('workflow.json'), JSON.stringify(fromImage(9)));
    await rm(inDir('repair.json'));
    await rm(inDir('rows.jsonl'));
    await rm(inDir('start.png'));
    await writeFile(inDir('row.png'), 'no picture any more');
    await open();

    await service.resume({ run, env: {} });
    const summary = await here.ended(run);
    expect(summary).toMatchObject({ state: 'completed', shots: 2, failed: 0, attempts: 4 });
    const graphs = await sent(run);
    expect(graphs.map(({ steps }) => steps)).toEqual(['7', '5', '7', '5']);
    expect([graphs[0]?.image, graphs[2]?.image]).toEqual([uploadName(start), uploadName(row)]);
    expect(warnings).toEqual([
      expect.stringMatching(
        /^files-1 goes on with its files .* Changed since: .*repair\.json \(gone\), .*row\.png, .*start\.png \(gone\) and 1 more\./,
      ),
    ]);
  });

  it('that were touched, and are what they were, are nothing to tell of', async () => {
    const run = await recorded();
    const bytes = await readFile(inDir('start.png'));
    await rm(inDir('start.png'));
    await writeFile(inDir('start.png'), bytes);
    await service.resume({ run, env: {} });
    await here.ended(run);
    expect(warnings).toEqual([]);
  });

  it('are kept once each, and their user alone may read them', async () => {
    await recorded();
    await recorded();
    const names = [];
    for await (const { sha256, path } of state.ledger.files('files-1')) {
      names.push(path);
      const blob = join(inDir('home'), 'blobs', sha256.slice(0, 2), sha256.slice(2));
      expect((await stat(blob)).mode & 0o777).toBe(0o600);
      expect(await readFile(blob)).toEqual(await readFile(path));
    }
    expect(names).toEqual(['pose.png', 'repair.json', 'row.png', 'start.png', 'workflow.json'].map(inDir));
  });

  it('and the pipeline itself, too, may be edited: which keys is told, but for those that --set gave', async () => {
    const set = ['retry.attempts=1', 'gate.reject.0.threshold=0.5'];
    const pipeline = await loadPipeline(inDir('pipeline.yaml'), { env: {}, set });
    const { id: run } = await newRun(state, pipeline).record();
    const text = await readFile(inDir('pipeline.yaml'), 'utf8');
    await close();
    await open();
    await service.resume({ run, env: {} });
    await here.ended(run);
    expect(warnings).toEqual([]);
    const edited = text
      .replace('seed: 3', 'seed: 4')
      .replace('a hand', 'two hands')
      .replace('attempts: 2', 'attempts: 9');
    await writeFile(inDir('pipeline.yaml'), `${edited}pictures: [.]\n`);
    const { id: other } = await newRun(state, pipeline).record();
    await service.resume({ run: other, env: {} });
    await here.ended(other);
    expect(warnings).toEqual([
      expect.stringMatching(
        /^files-2 goes on by its pipeline as it was recorded\. Changed in .*pipeline\.yaml since: seed, prompts\.0\.text, pictures \(new\)\. A new run/,
      ),
    ]);
  });

  it('are looked for beside the pipeline where a state folder of another machine has them', async () => {
    const run = await recorded();
    await rm(join(inDir('home'), 'blobs'), { recursive: true });
    await service.resume({ run, env: {} });
    expect(await here.ended(run)).toMatchObject({ state: 'completed', failed: 0 });
  });

  it('that are lost with their blobs are an error in words', async () => {
    const run = await recorded();
    await rm(join(inDir('home'), 'blobs'), { recursive: true });
    await writeFile(inDir('workflow.json'), JSON.stringify(fromImage(9)));
    await expect(service.resume({ run, env: {} })).rejects.toThrow(
      /workflow\.json, as it was when files-1 was recorded, is not in this state folder/,
    );
  });
});
