import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startSketchServer, type Protocol, type SketchServer } from '../../sketch/index.js';
import type { Classifier } from '../../src/classifier/index.js';
import type { RunEvent } from '../../src/runtime/index.js';
import { runPipeline } from '../support/run.js';
import { scoresOf } from '../support/scores.js';
import { textToImage } from '../support/sketch-graphs.js';

let dir: string;
let servers: SketchServer[];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'reroll-sick-'));
  await writeFile(join(dir, 'draw.api.json'), JSON.stringify(textToImage(0, 'x')));
  servers = [];
});

afterEach(async () => {
  await Promise.all(servers.map((server) => server.close()));
  await rm(dir, { recursive: true, force: true });
});

async function start(...protocols: Protocol[]): Promise<SketchServer[]> {
  servers = await Promise.all(
    protocols.map((protocol) => startSketchServer({ protocol, latencyMs: 5, badRate: 0 })),
  );
  return servers;
}

/** What is tested here is the way of an image, not its judgement. */
const pleased: Classifier = {
  model: { name: 'pleased', revision: 'none', dtype: 'none' },
  labels: ['Bad_Anatomy', 'Good_Anatomy'],
  classify: async () => scoresOf({ Bad_Anatomy: 0, Good_Anatomy: 1 }),
  close: async () => undefined,
};

const pipeline = (prompts: object[] = [{ text: 'a hand', count: 50 }]) => ({
  name: 'test',
  seed: 9,
  backends: servers.map(({ url, protocol }, place) => ({
    name: `s${place}`,
    kind: protocol,
    url,
    slots: 2,
    ...(protocol === 'comfyui' && { workflow: './draw.api.json' }),
  })),
  generate: { width: 64, height: 64, steps: 4 },
  prompts,
  gate: { model: 'pleased' },
  retry: { attempts: 1 },
  output: { dir: 'out' },
});

const run = (config: object, onEvent: (event: RunEvent) => void = () => undefined) =>
  runPipeline(dir, config, { classifier: pleased, onEvent });

const states = (events: RunEvent[]) =>
  events.flatMap((event) => (event.type === 'backend' ? `${event.backend} ${event.state}` : []));

describe.each(['a1111', 'comfyui'] as const)('a sick %s server', (protocol) => {
  it('costs nothing: the run waits, and goes on when it has been restarted', async () => {
    const [server] = (await start(protocol)) as [SketchServer];
    for (let well = 0; well < 4; well++) server.nextFault('slow');
    server.nextFault('poisoned');
    let errors = 0;
    const ran = await run(pipeline(), ({ type }) => {
      if (type === 'server-error' && ++errors === 3) void server.restart();
    });
    expect(ran.summary).toMatchObject({ accepted: 50, failed: 0, attempts: 50 });
    expect(server.stats().requests).toBeLessThanOrEqual(50 + 10);
    expect(states(ran.events)).toEqual(['s0 sick', 's0 well']);
  });

  it('leaves all to the other', async () => {
    const [sick, well] = (await start(protocol, protocol)) as [SketchServer, SketchServer];
    sick.setFaults(1, ['out-of-memory']);
    const ran = await run(pipeline());
    expect(ran.summary).toMatchObject({ accepted: 50, failed: 0, attempts: 50 });
    expect(well.stats().requests).toBe(50);
    expect(sick.stats().requests).toBeLessThanOrEqual(6);
  });

  it('that sends one picture for all seeds is sick: none of them is taken but the first', async () => {
    const [stuck, well] = (await start(protocol, protocol)) as [SketchServer, SketchServer];
    stuck.setFaults(1, ['stuck']);
    const ran = await run(pipeline());
    expect(ran.summary).toMatchObject({ accepted: 50, failed: 0, attempts: 50 });
    expect(well.stats().images).toBeGreaterThanOrEqual(49);
    expect(states(ran.events)).toContain('s0 sick');
    const told = ran.events.flatMap((event) => (event.type === 'backend' && event.reason) || []);
    expect(told.join()).toMatch(/very picture of seed \d+ again for seed \d+: it is stuck/);
  });

  it('that is well fails the one shot that it can never make, soon', async () => {
    const [server] = (await start(protocol)) as [SketchServer];
    server.faultFor('cursed', 'out-of-memory');
    const before = protocol === 'a1111' ? 1 : 24;
    const prompts = [
      { text: 'a hand', count: before },
      { text: 'a cursed hand' },
      { text: 'a hand', count: 49 - before },
    ];
    const ran = await run(pipeline(prompts));
    expect(ran.summary).toMatchObject({ accepted: 49, failed: 1 });
    expect(server.stats().requests).toBeLessThanOrEqual(49 + 10);
    const line = ran.manifest[before]!;
    expect(line.outcome).toBe('failed');
    expect(line.reason).toMatch(/memory.*It failed this attempt \d+ times, and makes others/s);
    expect(states(ran.events)).not.toContain('s0 sick');
  });
});
