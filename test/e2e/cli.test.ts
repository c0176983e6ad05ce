import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import sharp from 'sharp';
import { stringify } from 'yaml';
import { startSketchServer, type SketchServer } from '../../sketch/index.js';
import { textToImage } from '../support/sketch-graphs.js';
import { makeWorkspace, tinyModel, type Workspace } from '../support/workspace.js';

let server: SketchServer;
let workspace: Workspace;

const pipeline = (changes: object = {}) => ({
  name: 'cli',
  seed: 3,
  backends: [{ name: 'sketch', kind: 'a1111', url: server.url, slots: 2 }],
  generate: { width: 64, height: 64, steps: 4 },
  prompts: [{ text: 'a hand', count: 4 }],
  gate: { model: tinyModel },
  retry: { attempts: 3, ladder: ['new_seed'] },
  output: { dir: 'out' },
  ...changes,
});

beforeEach(async () => {
  server = await startSketchServer({ latencyMs: 10, badRate: 0.5 });
});

afterEach(async () => {
  await server.close();
  await workspace.remove();
});

async function refused(changes: object, args = ['run', 'pipeline.yaml']) {
  workspace = await makeWorkspace(pipeline(changes));
  const { code, stderr, stdout } = await workspace.reroll(args);
  expect(stdout).toBe('');
  expect(stderr).not.toContain('this is a bug');
  expect(code, stderr).toBe(2);
  return stderr;
}

describe('reroll run', () => {
  it('prints one JSON object alone on standard output, and leaves a manifest and a report', async () => {
    workspace = await makeWorkspace(pipeline());
    const { code, stdout } = await workspace.reroll(['run', 'pipeline.yaml', '--json']);
    const summary = JSON.parse(stdout) as Record<string, unknown>;
    expect(summary).toMatchObject({ run: 'cli-1', state: 'completed', shots: 4, failed: 0, cancelled: 0 });
    expect(code).toBe(summary.accepted === 4 ? 0 : 1);
    expect(await readFile(summary.manifest as string, 'utf8')).toMatch(/^\{.*\}\n/);
    expect(await readFile(join(workspace.dir, 'out/cli-1/report.html'), 'utf8')).toContain('<img');
    const next = await workspace.reroll(['run', 'pipeline.yaml', '--dry-run']);
    expect(next.stdout).toMatch(
      /as cli-1 went \(\d+ % of its images accepted, one every \d\.\d s from sketch\): about \d+ attempts, \d+ s, \d+ s of/,
    );
  });

  it('goes on where whoever reads has left, and is no success', async () => {
    workspace = await makeWorkspace(pipeline());
    const { child, finished } = workspace.start(['run', 'pipeline.yaml']);
    child.stdout?.destroy();
    child.stderr?.destroy();
    const { code, signal } = await finished;
    expect(signal).toBeNull();
    expect(code).toBeGreaterThan(0);
    expect(await workspace.manifest('cli-1')).toHaveLength(4);
  });

  it('says 1 where shots are exhausted', async () => {
    workspace = await makeWorkspace(
      pipeline({ gate: { model: tinyModel, reject: [{ labels: ['*'], threshold: 0 }] } }),
    );
    const { code, stdout } = await workspace.reroll(['run', 'pipeline.yaml']);
    expect(code).toBe(1);
    expect(stdout).toContain('4 exhausted');
  });

  it('finishes what the servers hold on Ctrl-C, leaves with 130 and says how to go on', async () => {
    workspace = await makeWorkspace(pipeline({ prompts: [{ text: 'a hand', count: 60 }] }));
    const started = workspace.start(['run', 'pipeline.yaml']);
    await started.saw(/shot \d+ accepted/);
    started.child.kill('SIGINT');
    const { code, stdout } = await started.finished;
    expect(code).toBe(130);
    expect(stdout).toContain('To go on: reroll resume cli-1');
    const resumed = await workspace.reroll(['resume', '--json']);
    expect(JSON.parse(resumed.stdout)).toMatchObject({ run: 'cli-1', state: 'completed', shots: 60 });
  });

  it('answers status, report, pause, unpause and cancel from another process while it runs', async () => {
    server.setFaults(0, []);
    workspace = await makeWorkspace(pipeline({ prompts: [{ text: 'a hand', count: 300 }] }));
    const started = workspace.start(['run', 'pipeline.yaml', '--json']);
    await started.saw(/shot \d+ accepted/);
    const ask = async (...args: string[]) => {
      const { code, stdout, stderr } = await workspace.reroll([...args, '--json']);
      expect(code, stderr).toBe(0);
      return JSON.parse(stdout) as Record<string, unknown>;
    };
    expect(await ask('status')).toMatchObject({ run: 'cli-1', state: 'running', shots: 300 });
    const { isOver, file } = await ask('report', 'cli-1');
    expect(isOver).toBe(false);
    expect(await readFile(file as string, 'utf8')).toMatch(/of 300 shots had ended/);
    expect(await ask('pause')).toMatchObject({ state: 'paused' });
    expect(await ask('unpause')).toMatchObject({ state: 'running' });
    expect(await ask('cancel')).toMatchObject({ state: 'cancelled' });
    const { code, stdout, stderr } = await started.finished;
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ state: 'cancelled' });
    // What it breaks off itself is no failure of the server.
    expect(stderr).not.toMatch(/ailing|interrupted/);
    expect(await ask('runs')).toMatchObject([{ run: 'cli-1', state: 'cancelled' }]);
  });

  it('says at the start which server is down, and goes on with the others', async () => {
    const gone = { name: 'gone', kind: 'a1111', url: 'http://127.0.0.1:1' };
    workspace = await makeWorkspace(pipeline({ backends: [...pipeline().backends, gone] }));
    const { code, stderr } = await workspace.reroll(['run', 'pipeline.yaml']);
    expect(code).toBeLessThan(2);
    expect(stderr).toMatch(/gone is down: .*127\.0\.0\.1:1/);
  });

  it('cancels a run whose process was killed, and stops its servers', async () => {
    await server.close();
    server = await startSketchServer({ protocol: 'comfyui', latencyMs: 60_000 });
    const comfyui = { name: 'sketch', kind: 'comfyui', url: server.url, workflow: 'draw.api.json' };
    workspace = await makeWorkspace(
      pipeline({ backends: [comfyui], prompts: [{ text: 'a hand', count: 9 }] }),
    );
    await writeFile(join(workspace.dir, 'draw.api.json'), JSON.stringify(textToImage(0, 'x')));
    const started = workspace.start(['run', 'pipeline.yaml']);
    await new Promise((resolve) => server.once('started', resolve));
    started.child.kill('SIGKILL');
    await started.finished;
    const stopped = new Promise((resolve) => server.once('finished', resolve));
    const { stdout } = await workspace.reroll(['cancel', 'cli-1', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ run: 'cli-1', state: 'cancelled', cancelled: 9 });
    await stopped;
    expect(await workspace.manifest('cli-1')).toHaveLength(9);
  });

  it('prints the expanded shots and the expected cost of a dry run, and asks no server', async () => {
    workspace = await makeWorkspace(pipeline());
    const { code, stdout } = await workspace.reroll(['run', 'pipeline.yaml', '--dry-run', '--set', 'seed=5']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^1 {2}p1 {2}seed \d+ {2}64x64/);
    expect(stdout).toContain('4 shots, 4 to 12 attempts. Seed 5.');
    expect(server.stats().requests).toBe(0);
  });
});

describe('what cannot run says so with status 2', () => {
  it('an unknown key, with its place and the nearest one', async () => {
    const stderr = await refused({ retries: 3 });
    expect(stderr).toMatch(/pipeline\.yaml:\d+:\d+/);
    expect(stderr).toContain('retry');
  });

  it('a file that is not there', async () => {
    expect(await refused({}, ['run', 'nowhere.yaml'])).toContain('nowhere.yaml');
  });

  it('a server that is down', async () => {
    const stderr = await refused({ backends: [{ name: 'gone', kind: 'a1111', url: 'http://127.0.0.1:1' }] });
    expect(stderr).toMatch(/no backend can be used:\n {2}gone: /);
  });

  it('a wrong password, which it does not repeat', async () => {
    await server.close();
    server = await startSketchServer({ auth: 'user:right' });
    const backends = [{ name: 'locked', kind: 'a1111', url: server.url, auth: 'user:wrong-secret' }];
    const stderr = await refused({ backends });
    expect(stderr).toMatch(/locked: .*password/);
    expect(stderr).not.toContain('wrong-secret');
  });

  it('a model folder without an ONNX file', async () => {
    expect(await refused({ gate: { model: './nothing' } })).toMatch(/nothing/);
  });

  it('a rule that no label of the model can fire', async () => {
    const stderr = await refused({
      gate: { model: tinyModel, reject: [{ labels: ['Bad_Hands'], threshold: 0.5 }] },
    });
    expect(stderr).toContain('Its labels are Realistic_Bad_Anatomy');
  });

  it('a budget that cannot pay for one attempt of each shot, and it leaves no run behind', async () => {
    const stderr = await refused({ retry: { attempts: 3, run_attempts: 3, ladder: ['new_seed'] } });
    expect(stderr).toContain('retry.run_attempts is 3');
    expect((await workspace.reroll(['runs'])).stdout).toContain('no runs yet');
  });

  it('a question about runs where there are none, and it makes no folder', async () => {
    workspace = await makeWorkspace(pipeline());
    for (const command of ['status', 'runs', 'resume']) {
      const { code, stderr } = await workspace.reroll([command], {
        REROLL_HOME: join(workspace.dir, 'none'),
      });
      expect(code).toBe(2);
      expect(stderr).toMatch(/there are no runs here: .*none does not exist/);
    }
    await expect(stat(join(workspace.dir, 'none'))).rejects.toThrow('ENOENT');
  });

  it.skipIf(process.getuid?.() === 0)('an output folder without permission', async () => {
    workspace = await makeWorkspace(pipeline());
    await mkdir(join(workspace.dir, 'out'));
    await chmod(join(workspace.dir, 'out'), 0o500);
    const { code, stderr } = await workspace.reroll(['run', 'pipeline.yaml']);
    expect(code).toBe(2);
    expect(stderr).toContain('permission');
  });

  it('an output folder that is a file', async () => {
    workspace = await makeWorkspace(pipeline());
    await writeFile(join(workspace.dir, 'out'), '');
    const { code, stderr } = await workspace.reroll(['run', 'pipeline.yaml']);
    expect(code, stderr).toBe(2);
    expect(stderr).not.toContain('this is a bug');
  });

  it('a port that is in use', async () => {
    const stderr = await refused({}, ['sketch', '--port', String(server.port)]);
    expect(stderr).toBe(
      `reroll: cannot listen on 127.0.0.1:${server.port}: something listens there already: choose another port (\`--port\`), or stop it.\n`,
    );
  });

  it('an unknown command or option', async () => {
    expect(await refused({}, ['rum'])).toContain('Did you mean run?');
    await workspace.remove();
    expect(await refused({}, ['run', 'pipeline.yaml', '--dry-rum'])).toContain('--dry-run');
  });
});

describe('reroll classify', () => {
  it('scores every image, reports what is none, and goes on', async () => {
    workspace = await makeWorkspace(pipeline());
    const picture = sharp({
      create: { width: 32, height: 32, channels: 3, background: { r: 250, g: 10, b: 10 } },
    });
    await mkdir(join(workspace.dir, 'pictures'));
    await picture.png().toFile(join(workspace.dir, 'pictures', 'red.png'));
    await writeFile(join(workspace.dir, 'pictures', 'broken.png'), 'no picture');
    const { code, stdout, stderr } = await workspace.reroll([
      'classify',
      '--model',
      './model',
      '--json',
      'pictures',
    ]);
    expect(code).toBe(1);
    expect(stderr).toContain('broken.png');
    const rows = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { file: string; scores: unknown[] });
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({ file: join('pictures', 'red.png') });
    expect(rows[0]!.scores).toHaveLength(4);
  });
});

describe('reroll doctor', () => {
  it('says what works and what does not', async () => {
    workspace = await makeWorkspace(
      pipeline({
        backends: [
          { name: 'well', kind: 'a1111', url: server.url },
          { name: 'gone', kind: 'a1111', url: 'http://127.0.0.1:1' },
        ],
      }),
    );
    const { code, stdout } = await workspace.reroll(['doctor', 'pipeline.yaml']);
    expect(code).toBe(1);
    expect(stdout).toMatch(/ok {4}backend well: .*sketch/);
    expect(stdout).toMatch(/FAIL {2}backend gone: /);
  });

  it('looks for what the ladder changes and what prompts name', async () => {
    const ladder = ['new_seed', { adjust: { sampler: 'Eulr a' } }];
    const prompts = [{ text: 'a hand' }, { text: 'a hand <lora:nobody:0.8>' }];
    workspace = await makeWorkspace(pipeline({ prompts, retry: { attempts: 3, ladder } }));
    const { code, stdout } = await workspace.reroll(['doctor', 'pipeline.yaml']);
    expect(code).toBe(1);
    expect(stdout).toMatch(/no sampler "Eulr a"/);
    expect(stdout).toMatch(/no LoRA "nobody"/);
  });

  it('does not blame a server for what another one makes', async () => {
    const other = await startSketchServer({ checkpoints: ['inks.safetensors'] });
    try {
      const backends = [
        { name: 'hands', kind: 'a1111', url: server.url },
        { name: 'inks', kind: 'a1111', url: other.url },
      ];
      const prompts = ['inks.safetensors', 'sketch-hands-v1.safetensors', 'oils.safetensors'].map(
        (checkpoint) => ({ text: 'a hand', checkpoint }),
      );
      workspace = await makeWorkspace(pipeline({ backends, prompts: prompts.slice(0, 2) }));
      const well = await workspace.reroll(['doctor', 'pipeline.yaml']);
      expect(well.stdout).toMatch(
        /ok {4}backend hands: .*\n +leaves to others .*no checkpoint "inks.safetensors"/,
      );
      expect(well.stdout).toMatch(
        /ok {4}backend inks: .*\n +leaves to others .*no checkpoint "sketch-hands-v1/,
      );
      expect(well.code).toBe(0);
      await writeFile(workspace.pipeline, stringify(pipeline({ backends, prompts })));
      const { code, stdout } = await workspace.reroll(['doctor', 'pipeline.yaml']);
      expect(stdout).toMatch(/FAIL {2}backend inks: .*has no checkpoint "oils.safetensors"/);
      expect(code).toBe(1);
    } finally {
      await other.close();
    }
  });

  it('looks for what the repairs of the ladder need', async () => {
    const ladder = [{ repair: { with: 'adetailer', model: 'hands_yolov8n.pt' } }];
    workspace = await makeWorkspace(pipeline({ retry: { attempts: 3, ladder } }));
    const { code, stdout } = await workspace.reroll(['doctor', 'pipeline.yaml']);
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /FAIL {2}backend sketch: .*no ADetailer model "hands_yolov8n.pt" \(nearest: hand_yolov8n/,
    );
  });
});
