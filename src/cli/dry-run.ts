import { randomInt } from 'node:crypto';
import { defaultModel } from '../base/default-model.js';
import { expect, type GateQuality, type Shot } from '../loop/index.js';
import { expandShots, type Pipeline } from '../pipeline/index.js';
import { percent, plural, printJson, table, writeOut } from './print.js';

/** How good a gate is, from where that is known. */
interface KnownGate extends Omit<GateQuality, 'badRate'> {
  source: string;
}

const badRates = [0.3, 0.5, 0.7];

/** Prints every shot, then what the run will cost. Streams: 100,000 shots take no memory. */
export async function dryRun(pipeline: Pipeline, json: boolean): Promise<void> {
  const seed = pipeline.seed ?? randomInt(2 ** 32);
  let shots = 0;
  for await (const shot of expandShots(pipeline, seed)) {
    shots++;
    await writeOut(json ? JSON.stringify(shot) + '\n' : `${line(shot)}\n`);
  }
  const gate = knownGate(pipeline.gate.models);
  const costs = badRates.map((badRate) => ({
    badRate,
    ...expect({ badRate, recall: gate.recall, falseAlarms: gate.falseAlarms }, pipeline.retry.attempts),
  }));
  const most = Math.min(shots * pipeline.retry.attempts, pipeline.retry.run_attempts ?? Infinity);
  if (json) {
    printJson({ shots, seed, attempts: { least: shots, most }, gate, costs });
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
    `\n${plural(shots, 'shot')}, ${shots} to ${plural(most, 'attempt')}. Seed ${seed}.\n` +
      `What the gate makes of that (${gate.source}):\n\n${table(header, rows)}\n\n` +
      'More budget lowers only the exhausted; only a better gate lowers the bad among the accepted.\n',
  );
}

function line({ index, prompt, request, priority, tags }: Shot): string {
  const { width, height, steps, cfg_scale: cfg, seed } = request;
  const extra = [priority === 0 ? '' : `priority ${priority}`, ...tags].filter(Boolean).join(' ');
  return `${index}  ${prompt}  seed ${seed}  ${width}x${height}  steps ${steps}  cfg ${cfg}  ${extra ? `${extra}  ` : ''}${request.prompt}`;
}

/** The default model's card gives its accuracy on both classes alone; the demo model was measured. */
function knownGate(models: readonly string[]): KnownGate {
  // Of several models together no figures are known.
  const model = models.length === 1 ? models.join() : '';
  if (model === defaultModel) {
    return { recall: 0.634, falseAlarms: 0.366, source: 'from the accuracy of 0.634 on its model card' };
  }
  if (/(^|\/)models\/demo$/.test(model)) {
    return {
      recall: 0.965,
      falseAlarms: 0.043,
      source: 'the demo model on drawings, as docs/demo-model.md measured it',
    };
  }
  return { recall: 1, falseAlarms: 0, source: 'as if it were perfect: how good this gate is, is not known' };
}
