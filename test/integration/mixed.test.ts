import { rmSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Classifier } from '../../src/classifier/index.js';
import { ConfigError } from '../../src/errors.js';
import type { AttemptKey } from '../../src/ledger/index.js';
import type { RunEvent } from '../../src/runtime/index.js';
import {
  faultsOf,
  readTruth,
  startSketchServer,
  type Protocol,
  type SketchChunk,
  type SketchOptions,
  type SketchServer,
} from '../../sketch/index.js';
import { runPipeline, type Ran, type RunOptions } from '../support/run.js';
import { flux, repairGraph, textToImage } from '../support/sketch-graphs.js';
import { scoresOf } from '../support/scores.js';

let dir: string;
let servers: SketchServer[];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'reroll-mixed-'));
  await writeFile(join(dir, 'draw.api.json'), JSON.stringify(textToImage(0, 'x')));
  await writeFile(join(dir, 'hands.api.json'), JSON.stringify(repairGraph('none.png', 0, 'x')));
  servers = [];
});

afterEach(async () => {
  await Promise.all(servers.map((server) => server.close()));
  await rm(dir, { recursive: true, force: true });
});

async function start(protocols: Protocol[], options: Partial<SketchOptions> = {}): Promise<void> {
  servers = await Promise.all(
    protocols.map((protocol) => startSketchServer({ protocol, latencyMs: 5, badRate: 0.4, ...options })),
  );
}

const pipeline = (changes: object = {}) => ({
  name: 'mixed',
  seed: 9,
  backends: servers.map(({ url, protocol }, place) => ({
    name: `s${place}`,
    kind: protocol,
    url,
    stall: '3s',
    ...(protocol === 'comfyui' && { workflow: './draw.api.json' }),
  })),
  generate: { width: 64, height: 64, steps: 4 },
  prompts: [{ text: 'a {soft|hard} hand', count: 12 }],
  gate: { model: 'truthful' },
  retry: { attempts: 3, ladder: ['new_seed'] },
  ...changes,
});

/** Knows what was drawn: what is tested here is the way of an image, not its judgement. */
const truthful: Classifier = {
  model: { name: 'truthful', revision: 'none', dtype: 'none' },
  labels: ['Bad_Anatomy', 'Good_Anatomy'],
  classify: async (image) => {
    const bad = truthOf(image as Buffer).truth.anatomy === 'bad' ? 1 : 0;
    return scoresOf({ Bad_Anatomy: bad, Good_Anatomy: 1 - bad });
  },
  close: async () => undefined,
};

const run = (
  config: object,
  onEvent: (event: RunEvent) => void = () => undefined,
  options: Partial<RunOptions> = {},
) => runPipeline(dir, config, { classifier: truthful, onEvent, ...options });

const warningsOf = ({ events }: Ran) =>
  events.flatMap((event) => (event.type === 'warning' ? [event.message] : []));

function truthOf(image: Buffer): SketchChunk {
  const truth = readTruth(image);
  if (!truth) throw new Error('this is no picture of a sketch server');
  return truth;
}

async function publishedTruths({ summary, shots }: Ran) {
  return Promise.all(
    shots.map(async (shot) => ({
      shot,
      kept: shot.attempts[shot.kept! - 1]!,
      truth: truthOf(await readFile(join(summary.outputDir, shot.published!))),
    })),
  );
}

const name = ({ shot, number }: AttemptKey) => `${shot}.${number}`;

const counted = (names: string[]) =>
  names.reduce((counts, name) => counts.set(name, (counts.get(name) ?? 0) + 1), new Map<string, number>());

/** All faults but those that nobody gets over. */
const passing = ({ protocol }: SketchServer) =>
  faultsOf[protocol].filter((fault) => fault !== 'poisoned' && fault !== 'stuck');

describe('300 shots over five servers that fail, restart and go away', () => {
  it('all end, each with its own image, and nothing is generated twice that was not lost', async () => {
    await start(['comfyui', 'comfyui', 'comfyui', 'a1111', 'a1111']);
    for (const server of servers) server.setFaults(0.05, passing(server));
    const [comfyui, , gone, a1111] = servers as [SketchServer, SketchServer, SketchServer, SketchServer];
    const blows = new Map([
      [80, () => comfyui.restart()],
      [120, () => a1111.restart()],
      [160, () => gone.close()],
    ]);
    const struck: Promise<void>[] = [];
    let ended = 0;
    const ran = await run(pipeline({ prompts: [{ text: 'a {soft|hard} hand', count: 300 }] }), ({ type }) => {
      if (type === 'shot-ended') struck.push(blows.get(++ended)?.() ?? Promise.resolve());
    });
    await Promise.all(struck);

    const { summary, shots, events } = ran;
    expect(summary).toMatchObject({ state: 'completed', shots: 300, failed: 0, cancelled: 0 });
    expect(summary.accepted + summary.exhausted).toBe(300);
    for (const { shot, kept, truth } of await publishedTruths(ran)) {
      expect(truth).toMatchObject({ prompt: shot.request.prompt, seed: kept.request.seed });
      expect(truth.remoteId).toBe(kept.remoteId);
    }

    const sent = counted(events.flatMap((event) => (event.type === 'generating' ? name(event.key) : [])));
    const failed = counted(
      events.flatMap((event) =>
        event.type === 'server-error' || event.type === 'refused' ? name(event.key) : [],
      ),
    );
    const again = [...sent].filter(([attempt, times]) => times > 1 + (failed.get(attempt) ?? 0));
    expect(again).toEqual([]);
    expect(failed.size).toBeGreaterThan(0);
    for (const server of servers.filter((server) => server !== comfyui && server !== a1111)) {
      expect(Math.max(...Object.values(server.stats().generated))).toBe(1);
    }
    expect(new Set(shots.flatMap(({ attempts }) => attempts.map(({ backend }) => backend))).size).toBe(5);
  });
});

describe('10,000 prompts in the queue', () => {
  it('are never more than its slots at a server', async () => {
    await start(['comfyui', 'a1111', 'comfyui']);
    const prompts = Array.from({ length: 100 }, (_, place) => ({ text: `hand ${place}`, count: 100 }));
    const config = pipeline({ prompts });
    const slots = [3, 2, 1];
    config.backends = config.backends.map((backend, place) => ({ ...backend, slots: slots[place] }));
    const enough = new AbortController();
    let generated = 0;
    const { summary } = await run(
      config,
      ({ type }) => {
        if (type === 'generated' && ++generated === 400) enough.abort();
      },
      { signals: { drain: enough.signal } },
    );
    expect(summary).toMatchObject({ state: 'running', shots: 10_000 });
    expect(servers.map((server) => server.stats().maxHeld)).toEqual(slots);
    // What no server has asked for yet is not on its way either.
    expect(servers.reduce((sum, server) => sum + server.stats().requests, 0)).toBeLessThan(420);
  });
});

describe('shots that alternate between two checkpoints', () => {
  it('make each server load few times', async () => {
    await start(['comfyui', 'a1111']);
    const checkpoint = ['sketch-hands-v1.safetensors', 'sketch-hands-v2.safetensors'];
    const ran = await run(pipeline({ prompts: [{ text: 'a hand', matrix: { checkpoint }, count: 30 }] }));
    expect(ran.summary.accepted + ran.summary.exhausted).toBe(60);
    const wanted = new Map(ran.shots.map(({ index, request }) => [index, request.checkpoint]));
    for (const server of ['s0', 's1']) {
      const loaded = ran.events.flatMap((event) =>
        event.type === 'generating' && event.backend === server ? wanted.get(event.key.shot)! : [],
      );
      const loads = loaded.filter((checkpoint, place) => checkpoint !== loaded[place - 1]).length;
      // In the order of the pipeline every second image would need a load.
      expect(loads).toBeLessThan(loaded.length / 5);
    }
  });
});

describe('a rejected candidate', () => {
  const rungs = [
    { protocol: 'a1111', repair: { with: 'adetailer' } },
    { protocol: 'comfyui', repair: { with: 'workflow', workflow: './hands.api.json' } },
  ] as const;

  it.each(rungs)('is repaired on a server that can, and judged again: $repair.with', async (rung) => {
    await start(['a1111', 'comfyui']);
    const ran = await run(
      pipeline({
        generate: { width: 64, height: 64, steps: 4, sampler: 'DPM++ 2M' },
        prompts: [{ text: 'a hand', count: 20 }],
        retry: { attempts: 4, ladder: [{ repair: rung.repair }] },
      }),
    );
    expect(ran.summary).toMatchObject({ failed: 0 });
    const repairer = `s${servers.findIndex(({ protocol }) => protocol === rung.protocol)}`;
    const firsts = ran.shots.map(({ attempts }) => attempts[0]!);
    const repairs = ran.shots.flatMap(({ attempts }) => attempts.slice(1));
    expect(new Set(firsts.map(({ backend }) => backend)).size).toBe(2);
    expect(new Set(repairs.map(({ backend }) => backend))).toEqual(new Set([repairer]));
    expect(repairs.some(({ verdict }) => verdict?.decision === 'accept')).toBe(true);
    for (const { shot, truth } of await publishedTruths(ran)) {
      // The scene is the first attempt's, whoever repaired it.
      expect(truth.request.seed).toBe(shot.attempts[0]!.request.seed);
      if (shot.outcome === 'accepted') expect(truth.truth.anatomy).toBe('good');
    }
    expect(ran.events.filter(({ type }) => type === 'server-error' || type === 'refused')).toEqual([]);
  });

  it.each([
    ['is in the editor’s format', { nodes: [], links: [] }, {}, /File > Export \(API\)/],
    ['takes no picture', textToImage(0, 'x'), {}, /no LoadImage node. Add LoadImage -> VAEEncode/],
    [
      'binds what is no setting',
      repairGraph('x', 0, 'x'),
      { image: '20.inputs.image' },
      /no setting "image"/,
    ],
  ])('is not made at all where the workflow that shall repair it %s', async (_, graph, bindings, words) => {
    await start(['comfyui']);
    await writeFile(join(dir, 'wrong.api.json'), JSON.stringify(graph));
    const repair = { with: 'workflow', workflow: './wrong.api.json', bindings };
    const ran = run(pipeline({ retry: { attempts: 2, ladder: [{ repair }] } }));
    await expect(ran).rejects.toThrow(ConfigError);
    await expect(ran).rejects.toThrow(words);
    expect(servers[0]!.stats().images).toBe(0);
  });

  it('is not changed in vain without a word: a workflow may not take what the ladder changes', async () => {
    await start(['comfyui']);
    await writeFile(join(dir, 'draw.api.json'), JSON.stringify(flux(0, 'x')));
    const ran = await run(
      pipeline({
        prompts: [{ text: 'a hand' }],
        retry: { attempts: 2, ladder: [{ adjust: { cfg_scale: '+1' } }] },
      }),
    );
    expect(ran.events.filter(({ type }) => type === 'warning')).toEqual([
      {
        type: 'warning',
        run: 'mixed-1',
        code: 'setting-in-vain',
        message: expect.stringContaining('does not take cfg_scale') as string,
      },
    ]);
  });

  it('is given up for a new one where the repair found nothing to repair', async () => {
    await start(['a1111'], { badRate: 1 });
    const sure = { with: 'adetailer', confidence: 0.95 };
    const ran = await run(
      pipeline({
        prompts: [{ text: 'a hand', count: 3 }],
        retry: { attempts: 4, ladder: [{ repair: sure }] },
      }),
    );
    for (const { attempts } of ran.shots) {
      expect(attempts.map(({ repair }) => repair !== undefined)).toEqual([false, true, false, true]);
      expect(attempts.map(({ candidate }) => candidate!.unchanged)).toEqual([
        undefined,
        true,
        undefined,
        true,
      ]);
    }
  });

  it('keeps no server waiting that cannot repair', async () => {
    await start(['comfyui'], { badRate: 1 });
    servers.push(await startSketchServer({ protocol: 'a1111', latencyMs: 100_000, badRate: 1 }));
    // The urgent ones' repairs are urgent too: they stand before the other prompts in any one queue.
    const prompts = [
      { text: 'a hand', count: 8, priority: 5 },
      { text: 'a hand', count: 16 },
    ];
    const retry = { attempts: 2, ladder: [{ repair: { with: 'adetailer' } }] };
    // All but what the slots of the slow one hold.
    const patient = pipeline().backends.map((backend) => ({ ...backend, stall: '10m' }));
    const enough = new AbortController();
    let made = 0;
    await run(
      pipeline({ backends: patient, prompts, retry }),
      ({ type }) => {
        if (type === 'generated' && ++made === 22) enough.abort();
      },
      { signals: { force: enough.signal } },
    );
    expect(made).toBe(22);
  });

  it('is not begun on any more when the run is told to leave', async () => {
    await start(['a1111'], { badRate: 1, latencyMs: 1000 });
    const leave = new AbortController();
    let judged = 0;
    let begun = 0;
    await run(
      pipeline({
        backends: pipeline().backends.map((backend) => ({ ...backend, slots: 1 })),
        prompts: [{ text: 'a hand', count: 8 }],
        retry: { attempts: 2, ladder: [{ repair: { with: 'adetailer' } }] },
      }),
      ({ type }) => {
        if (type === 'judged') judged++;
        // A repair has the one slot, or waits for it while a first attempt has it.
        if (type === 'progress' && judged > 1) leave.abort();
        if (type === 'generating' && leave.signal.aborted) begun++;
      },
      { signals: { drain: leave.signal } },
    );
    expect(begun).toBe(0);
  });

  it('is given up for a new one where the one to repair is gone', async () => {
    await start(['a1111'], { badRate: 1 });
    const candidates = join(dir, 'home-a', 'candidates', 'mixed-1');
    const ran = await run(
      pipeline({
        prompts: [{ text: 'a hand', count: 3 }],
        retry: { attempts: 2, ladder: [{ repair: { with: 'adetailer' } }] },
      }),
      (event) => {
        if (event.type === 'judged' && event.key.shot === 2) rmSync(join(candidates, '2-1.png'));
      },
    );
    expect(ran.summary).toMatchObject({ state: 'completed' });
    const repaired = ran.shots.map(({ attempts }) => attempts[1]!.repair !== undefined);
    expect(repaired).toEqual([true, false, true]);
    expect(warningsOf(ran)).toEqual([
      expect.stringMatching(
        /^2\.2 is made anew instead of repaired: the image to repair is lost: .*2-1\.png is gone/,
      ),
    ]);
  });

  it('is given up for new ones where no server can repair', async () => {
    await start(['comfyui']);
    const repair = { with: 'workflow', workflow: './odd.api.json' };
    const odd = { ...repairGraph('none.png', 0, 'x'), '99': { class_type: 'NoSuchNode', inputs: {} } };
    await writeFile(join(dir, 'odd.api.json'), JSON.stringify(odd));
    const ran = await run(pipeline({ retry: { attempts: 3, ladder: [{ repair }] } }));
    expect(ran.summary).toMatchObject({ state: 'completed', failed: 0 });
    const laterOnes = ran.shots.flatMap(({ attempts }) => attempts.slice(1));
    expect(laterOnes.length).toBeGreaterThan(0);
    expect(laterOnes.filter(({ repair }) => repair)).toEqual([]);
    expect(warningsOf(ran)).toEqual([
      expect.stringMatching(/^Images are made anew instead of repaired: s0: no node "NoSuchNode"/),
    ]);
  });

  it('fails its shot where it was the best one and is gone', async () => {
    await start(['a1111'], { badRate: 1 });
    const candidates = join(dir, 'home-a', 'candidates', 'mixed-1');
    const ran = await run(pipeline({ prompts: [{ text: 'a hand', count: 3 }] }), (event) => {
      if (event.type === 'judged' && event.key.shot === 2)
        rmSync(join(candidates, '2-1.png'), { force: true });
    });
    expect(ran.summary).toMatchObject({ state: 'completed', failed: 1, exhausted: 2 });
    expect(ran.shots[1]!.reason).toMatch(/^the image to keep is lost: .*2-1\.png is gone/);
  });
});
