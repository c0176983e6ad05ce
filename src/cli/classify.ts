import { plural } from '../base/plural.js';
import type { ClassifierOptions } from '../classifier/index.js';
import { visibleJson } from '../base/visible.js';
import { ImageError } from '../errors.js';
import { judge, type LabelScore, type Verdict } from '../loop/index.js';
import { loadPipeline } from '../pipeline/index.js';
import { openGate, openModels, opening } from '../runtime/index.js';
import { exitCodes } from './exit.js';
import { imageFiles } from './image-files.js';
import { warn, writeOut } from './print.js';
import { progressLine } from './progress-line.js';

export interface ClassifyFlags extends Omit<ClassifierOptions, 'model'> {
  model: string;
  gate?: string;
  top?: number;
  json?: boolean;
  csv?: boolean;
}

interface Row {
  file: string;
  scores: readonly LabelScore[];
  verdict?: Verdict;
}

/** Scores one file after the other and prints each at once; what cannot be scored is told. Returns the exit code. */
export function classifyFiles(files: string[], flags: ClassifyFlags): Promise<number> {
  return opening(async (releasers) => {
    const pipeline =
      flags.gate === undefined ? undefined : await loadPipeline(flags.gate, { env: process.env });
    const { dtype, device, threads } = flags;
    const options = { ...(dtype && { dtype }), ...(device && { device }), ...(threads && { threads }) };
    const classifier = pipeline
      ? await openGate({ ...pipeline, gate: { ...pipeline.gate, ...options } }, process.env)
      : await openModels({ models: [flags.model], combine: 'mean', ...options }, process.cwd(), process.env);
    releasers.add(() => classifier.close());
    for (const note of classifier.notes ?? []) warn(note);
    const columns = classifier.labels;
    if (flags.csv)
      await writeOut(['file', ...columns, ...(pipeline ? ['decision', 'rule'] : [])].join(',') + '\n');
    let seen = 0;
    let failed = 0;
    // Where the scores go to a file, a person still wants to see that it goes on.
    const line = process.stdout.isTTY ? undefined : progressLine();
    const tell = (message: string) => {
      failed++;
      line?.clear();
      warn(message);
    };
    for await (const file of imageFiles(files, process.stdin, tell)) {
      seen++;
      line?.show(plural(seen, 'image'));
      try {
        const scores = await classifier.classify(file);
        const verdict = pipeline && judge(pipeline.gate.rules, scores);
        await writeOut(`${format({ file, scores, ...(verdict && { verdict }) }, columns, flags)}\n`);
      } catch (error) {
        if (!(error instanceof ImageError)) throw error;
        tell(`${file}: ${error.message}`);
      }
    }
    line?.clear();
    await releasers.close();
    if (failed === 0) return exitCodes.done;
    return seen === 0 ? exitCodes.unable : exitCodes.found;
  });
}

function format(
  { file, scores, verdict }: Row,
  columns: string[],
  { json, csv, top }: ClassifyFlags,
): string {
  const shown = scores.slice(0, top ?? scores.length);
  if (json) return visibleJson({ file, scores: shown, ...(verdict && { verdict }) });
  if (csv) {
    const score = (label: string) => (scores.find((other) => other.label === label)?.score ?? 0).toFixed(6);
    return [file, ...columns.map(score), ...(verdict ? [verdict.decision, verdict.rule ?? ''] : [])]
      .map(csvCell)
      .join(',');
  }
  const words = shown.map(({ label, score }) => `${label} ${score.toFixed(3)}`).join('  ');
  return [...(verdict ? [verdict.decision.padEnd(6)] : []), words, file].join('  ');
}

/** RFC 4180; a cell that a spreadsheet would take for a formula is disarmed. */
function csvCell(text: string): string {
  const safe = /^[=+@-]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
