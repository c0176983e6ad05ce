import { writeAtomically } from '../images/index.js';
import { barChart, maxBars, type Bar } from './charts.js';
import { html, Html } from './html.js';
import { inParts } from './manifest.js';
import { cards, maxPictures } from './sheet.js';
import { style } from './style.js';
import { tally, type FileOf, type Group, type Tally } from './tally.js';
import type { ReportShot } from './types.js';

export interface Report<S extends ReportShot> {
  /** The run's id. */
  run: string;
  /** The pipeline's name. */
  name: string;
  /** The classifier's name. */
  model: string;
  /** The run's folder: what paths are relative to. */
  folder: string;
  /** All shots by index. Called once per pass: the report holds none of them. */
  shots: () => AsyncIterable<S>;
  /** Where the image of a judged attempt lies, below the folder; undefined: it was not kept. */
  fileOf: FileOf<S>;
  /** Counts of really bad images, where the servers know what they drew. */
  truth?: Truth;
}

export interface Truth {
  accepted: number;
  badAccepted: number;
  firstAttempts: number;
  badFirstAttempts: number;
}

/** Writes report.html: one file, no network, no script. Streams; throws StorageError. */
export async function writeReport<S extends ReportShot>(file: string, report: Report<S>): Promise<void> {
  const counts = await tally(report.shots(), report.fileOf);
  await writeAtomically(file, inParts(page(report, counts)));
}

async function* page<S extends ReportShot>(report: Report<S>, counts: Tally): AsyncGenerator<string> {
  // Elements that are opened here and closed further down stand in plain strings: a formatter closes them in templates.
  yield '<!doctype html>\n<html lang="en">';
  yield head(report.run).text;
  yield '<body>';
  yield title(report).text;
  yield tiles(counts).text;
  if (report.truth) yield truthSection(report.truth).text;
  yield charts(counts).text;
  for (const [group, heading, words] of groups) {
    const total = counts.pictures[group];
    if (total === 0) continue;
    yield `<section class="${group}">`;
    yield html`<h2>${heading}</h2>
      <p>${words} ${shown(total)}</p>`.text;
    yield '<div class="sheet">';
    yield* cards(report.shots(), report.fileOf, report.folder, group, total);
    yield '</div></section>';
  }
  if (counts.failed > 0) yield failed(counts).text;
  yield foot(counts).text;
  yield '</body></html>\n';
}

const groups: [Group, string, string][] = [
  ['accepted', 'Accepted', 'Published. The bars are the probabilities that the classifier gives.'],
  [
    'kept',
    'Kept without being accepted',
    'The budget was spent: the best attempt was kept, or laid aside for review.',
  ],
  ['rejected', 'Rejected', 'With the rule that fired. These cost time, and nothing else.'],
];

function shown(total: number): string {
  if (total <= maxPictures) return '';
  const every = Math.ceil(total / maxPictures);
  return `Every ${ordinal(every)} of ${count(total)} is shown here: ${count(Math.ceil(total / every))}. The others are in manifest.jsonl.`;
}

/** Nothing may be loaded, from anywhere: pictures and style are in the page, and there is no script. */
const policy =
  "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

const head = (run: string): Html =>
  html`<head>
    <meta charset="utf-8" />
    <meta http-equiv="Content-Security-Policy" content="${policy}" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>${run}: reroll report</title>
    <style>
      ${new Html(style)}
    </style>
  </head>`;

const title = ({ run, name, model }: Pick<Report<ReportShot>, 'run' | 'name' | 'model'>): Html =>
  html`<header>
    <h1>${run}</h1>
    <p>Pipeline <b>${name}</b>, judged by <b>${model}</b>.</p>
  </header>`;

function tiles(counts: Tally): Html {
  const tile = (value: string, words: string, kind = ''): Html =>
    html`<div class="tile ${kind}"><b>${value}</b><span>${words}</span></div>`;
  const { shots, accepted, exhausted, failed, cancelled, judged, rejected } = counts;
  return html`<div class="tiles">
    ${tile(`${count(accepted)} / ${count(shots)}`, 'shots accepted', 'good')}
    ${tile(accepted === 0 ? '–' : (judged / accepted).toFixed(2), 'attempts per accepted image')}
    ${tile(count(judged), judged === 1 ? 'attempt judged' : 'attempts judged')}
    ${tile(count(rejected), `rejected (${percent(rejected, judged)})`, 'bad')}
    ${exhausted > 0 && tile(count(exhausted), 'exhausted: budget spent', 'kept')}
    ${failed > 0 && tile(count(failed), 'failed: a server cannot do it', 'bad')}
    ${cancelled > 0 && tile(count(cancelled), 'cancelled')}
    ${tile(duration(counts.serverSeconds), 'spent by servers')}
  </div>`;
}

function truthSection({ accepted, badAccepted, firstAttempts, badFirstAttempts }: Truth): Html {
  const row = (words: string, bad: number, all: number): Html =>
    html`<span>${words}</span>
      <div class="split" style="--share: ${percent(bad, all)}"><i></i></div>
      <output>${percent(bad, all)} <small>(${count(bad)} of ${count(all)})</small></output>`;
  return html`<section class="panel" style="margin-top: 12px">
    <h2>What is true</h2>
    <p>These servers draw, and know what they drew: how many of the images are really bad.</p>
    <div class="truth">
      ${row('Without a gate', badFirstAttempts, firstAttempts)}
      ${row('Accepted by this gate', badAccepted, accepted)}
    </div>
    <p>
      More attempts do not change the second number, only a better gate does: of images that are bad with
      probability p, a gate that misses a share m of the bad ones and accepts a share a of all lets through p
      · m / a.
    </p>
  </section>`;
}

function charts(counts: Tally): Html {
  const accepted = [...counts.attemptsOfAccepted.values()].reduce((sum, value) => sum + value, 0);
  const needed = grouped(counts.attemptsOfAccepted, (a, b) => a + b).map(([name, value]): Bar => ({
    name,
    value,
    label: count(value),
    hint: `${count(value)} images took ${name} attempts`,
  }));
  const rejection = grouped(counts.byNumber, (a, b) => ({
    judged: a.judged + b.judged,
    rejected: a.rejected + b.rejected,
  })).map(([name, { judged, rejected }]): Bar => ({
    name,
    value: judged === 0 ? 0 : rejected / judged,
    label: percent(rejected, judged),
    hint: `attempt ${name}: ${count(rejected)} of ${count(judged)} rejected`,
  }));
  const describe = (bars: Bar[]): string => bars.map(({ hint }) => hint).join('; ');
  return html`<div class="panels">
    <section class="panel">
      <h2>Attempts per image</h2>
      <p>How many attempts the ${count(accepted)} accepted images took.</p>
      ${barChart(needed, Math.max(...needed.map(({ value }) => value), 0), `Attempts per image: ${describe(needed)}`)}
    </section>
    <section class="panel bad">
      <h2>Rejection by rung</h2>
      <p>The share of first attempts, second attempts and so on that was rejected.</p>
      ${barChart(rejection, 1, `Rejection by rung: ${describe(rejection)}`)}
    </section>
  </div>`;
}

/** By number, without gaps; what does not fit stands together in the last place. */
function grouped<T>(values: Map<number, T>, add: (a: T, b: T) => T): [string, T][] {
  const sorted = [...values].sort(([a], [b]) => a - b);
  const fit = sorted.slice(0, maxBars - 1).map(([number, value]): [string, T] => [String(number), value]);
  const [first, ...rest] = sorted.slice(maxBars - 1);
  if (!first) return fit;
  const name = rest.length === 0 ? String(first[0]) : `${first[0]}+`;
  return [...fit, [name, rest.reduce((sum, [, value]) => add(sum, value), first[1])]];
}

const failed = ({ failures, failed }: Tally): Html =>
  html`<section>
    <h2>Failed</h2>
    <ul>
      ${failures.map(({ shot, prompt, reason }) => html`<li><b>${prompt}, shot ${shot}</b>: ${reason}</li>`)}
    </ul>
    ${failed > failures.length && html`<p>And ${count(failed - failures.length)} more: see manifest.jsonl.</p>`}
  </section>`;

const foot = ({ notKept }: Tally): Html =>
  html`<footer>
    ${notKept > 0 && html`${count(notKept)} rejected images were not kept (<code>output.keep_rejected</code>).`}
    Every attempt of every shot is in manifest.jsonl beside this file. Written by reroll.
  </footer>`;

const count = (value: number): string => value.toLocaleString('en-US');

const percent = (part: number, whole: number): string =>
  whole === 0 ? '0%' : `${Number(((part / whole) * 100).toFixed(part / whole < 0.1 ? 1 : 0))}%`;

function ordinal(value: number): string {
  const suffix = { one: 'st', two: 'nd', few: 'rd', other: 'th' }[
    new Intl.PluralRules('en', { type: 'ordinal' }).select(value) as 'one' | 'two' | 'few' | 'other'
  ];
  return `${value}${suffix}`;
}

function duration(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
}
