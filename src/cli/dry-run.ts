import { randomInt } from 'node:crypto';
import { relative } from 'node:path';
import { plural } from '../base/plural.js';
import { describeSent, type Backend, type Sent } from '../backends/index.js';
import { defaultModel } from '../base/default-model.js';
import { demoModel } from '../base/packaged.js';
import { expect, scriptPictures, type GateQuality, type ImageRequest, type Shot } from '../loop/index.js';
import { expandShots, type Pipeline } from '../pipeline/index.js';
import { unconnected } from '../runtime/index.js';
import { describeForecast, forecast } from './forecast.js';
import { percent, printJson, table, writeOut } from './print.js';

/** How good a gate is, from where that is known. */
interface KnownGate extends Omit<GateQuality, 'badRate'> {
  source: string;
}

const badRates = [0.3, 0.5, 0.7];

/** Prints every shot, then what the run will cost. Streams: 100,000 shots take no memory. */
export async function dryRun(pipeline: Pipeline, json: boolean): Promise<void> {
  const seed = pipeline.seed ?? randomInt(2 ** 32);
  const servers = await Promise.all(
    pipeline.backends.map(async (config) => new Server(await unconnected(config), config.tags)),
  );
  const notes: string[] = [];
  const shown = shownSettings(pipeline);
  let shots = 0;
  for await (const shot of expandShots(pipeline, seed, { onNote: (note) => notes.push(note) })) {
    shots++;
    const sent = servers.filter((server) => server.serves(shot)).map((server) => server.take(shot));
    await writeOut(json ? JSON.stringify(shot) + '\n' : `${line(shot, sent, shown)}\n`);
  }
  const gate = knownGate(pipeline.gate.models);
  const costs = badRates.map((badRate) => ({
    badRate,
    ...expect({ badRate, recall: gate.recall, falseAlarms: gate.falseAlarms }, pipeline.retry.attempts),
  }));
  const most = Math.min(shots * pipeline.retry.attempts, pipeline.retry.run_attempts ?? Infinity);
  const past = await forecast(pipeline, { shots, most });
  if (json) {
    const backends = servers.map(({ name, sent }) => ({ name, sent: [...sent.values()] }));
    printJson({ shots, seed, attempts: { least: shots, most }, gate, costs, past, backends, notes });
    return;
  }
  const rows = costs.map((cost) => [
    percent(cost.badRate),
    cost.attemptsPerShot.toFixed(2),
    Math.min(most, Math.round(cost.attemptsPerShot * shots)),
    percent(cost.exhausted),
    percent(cost.badAmongAccepted),
  ]);
  const header = ['bad images', 'attempts/shot', 'attempts', 'exhausted', 'bad among accepted'];
  await writeOut(
    `\n${servers.map((server) => `${server.describe()}\n`).join('')}` +
      `\n${plural(shots, 'shot')}, ${shots} to ${plural(most, 'attempt')}. Seed ${seed}${seedHint(pipeline, seed)}.\n` +
      (notes.length > 0 ? `\nSent as they are:\n${notes.map((note) => `  ${note}\n`).join('')}\n` : '') +
      (past ? `${describeForecast(past)}\n` : '') +
      `What the gate makes of that (${gate.source}):\n\n${table(header, rows)}\n\n` +
      'More budget lowers only the exhausted; only a better gate lowers the bad among the accepted.\n',
  );
}

/** A run draws a seed of its own where none is said. */
const seedHint = ({ seed: said, file }: Pipeline, seed: number): string =>
  said === undefined ? `: \`reroll run ${relative('', file)} --seed ${seed}\` makes these` : '';

type Setting = Exclude<keyof ImageRequest, 'prompt'>;

/** What stands in every line anyway. */
const always: readonly string[] = ['seed', 'width', 'height', 'steps', 'cfg_scale'];

/** Settings that shots differ in, and the pictures that are sent: what a matrix varies, or a table's row names. */
function shownSettings({ prompts }: Pipeline): Setting[] {
  const varied = prompts.flatMap(({ matrix = {} }) => Object.keys(matrix) as Setting[]);
  return [...new Set<Setting>([...varied, 'init_image', 'mask'])].filter((key) => !always.includes(key));
}

/** How many combinations of settings are remembered of a server. */
const remembered = 100;

/** A backend, and what it would be sent: each combination of settings once. */
class Server {
  readonly sent = new Map<string, Sent[]>();

  readonly #backend: Backend;
  readonly #tags: readonly string[];

  constructor(backend: Backend, tags: readonly string[]) {
    this.#backend = backend;
    this.#tags = tags;
  }

  get name(): string {
    return this.#backend.name;
  }

  serves({ tags }: Shot): boolean {
    return tags.every((tag) => this.#tags.includes(tag));
  }

  take({ request }: Shot): Sent[] {
    const sent = this.#backend.settings(request);
    if (this.sent.size < remembered) this.sent.set(JSON.stringify(sent), sent);
    return sent;
  }

  describe(): string {
    return `${this.name}: ${describeSent([...this.sent.values()]) || 'serves none of the shots'}`;
  }
}

/** What is sent for a setting, of several servers each value once. */
function valueOf(sent: readonly (readonly Sent[])[], setting: string): string {
  const found = sent.flatMap((one) =>
    one.filter((each) => each.setting === setting && each.from !== 'nowhere'),
  );
  const values = new Set(
    found.map(({ value = 'of the workflow' }) => (typeof value === 'string' ? value : JSON.stringify(value))),
  );
  return [...values].join(' or ') || '-';
}

function line(
  { index, prompt, request, priority, tags }: Shot,
  sent: readonly (readonly Sent[])[],
  shown: readonly Setting[],
): string {
  const { seed } = request;
  const [width, height, steps, cfg] = ['width', 'height', 'steps', 'cfg_scale'].map((setting) =>
    valueOf(sent, setting),
  );
  const settings = shown.flatMap((key) => {
    const value = request[key];
    if (value === undefined) return [];
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    const isPicture = key === 'init_image' || key === 'mask';
    return `${key} ${isPicture ? relative('', text) : text}`;
  });
  settings.push(...scriptPictures(request).map((picture) => `picture ${relative('', picture)}`));
  const routing = [priority === 0 ? '' : `priority ${priority}`, ...tags].filter(Boolean).join(' ');
  const extra = [routing, ...settings].filter(Boolean).join('  ');
  return `${index}  ${prompt}  seed ${seed}  ${width}x${height}  steps ${steps}  cfg ${cfg}  ${extra ? `${extra}  ` : ''}${request.prompt}`;
}

/** The default model's card gives its accuracy on both classes alone; the demo model was measured. */
function knownGate(models: readonly string[]): KnownGate {
  // Of several models together no figures are known.
  const model = models.length === 1 ? models.join() : '';
  if (model === defaultModel) {
    return { recall: 0.634, falseAlarms: 0.366, source: 'from the accuracy of 0.634 on its model card' };
  }
  if (model === demoModel) {
    return {
      recall: 0.965,
      falseAlarms: 0.043,
      source: 'the demo model on drawings, as docs/demo-model.md measured it',
    };
  }
  return { recall: 1, falseAlarms: 0, source: 'as if it were perfect: how good this gate is, is not known' };
}
