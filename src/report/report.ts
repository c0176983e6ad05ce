import { plural } from '../base/plural.js';
import { writeAtomically } from '../base/atomic.js';
import { barChart, maxBars, type Bar } from './charts.js';
import { html, Html } from './html.js';
import { inParts } from './manifest.js';
import { cards, maxPictures } from './sheet.js';
import { style } from './style.js';
import { tally, type FileOf, type Group, type Tally } from './tally.js';
import type { ReportShot } from './types.js';
import { compact, count, duration, ordinal, percent } from './words.js';

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
  if (counts.failed > 0) yield failed(counts).text;
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
  const all = [
    tile(`${count(accepted)} / ${count(shots)}`, 'shots accepted', accepted > 0 ? 'good' : 'bad'),
    tile(accepted === 0 ? '–' : (judged / accepted).toFixed(2), 'attempts per accepted image'),
    tile(count(judged), judged === 1 ? 'attempt judged' : 'attempts judged'),
    tile(count(rejected), `rejected (${percent(rejected, judged)})`, rejected > 0 ? 'bad' : ''),
    exhausted > 0 && tile(count(exhausted), 'exhausted: budget spent', 'kept'),
    failed > 0 && tile(count(failed), 'failed: the reasons are below', 'bad'),
    cancelled > 0 && tile(count(cancelled), 'cancelled'),
    tile(duration(counts.serverSeconds), 'spent by servers'),
  ].filter((shown) => shown !== false);
  // In one row or two: a last one alone would look forgotten.
  const half = Math.ceil(all.length / 2);
  return html`<div class="tiles" style="--wide: ${all.length > 6 ? half : all.length}; --narrow: ${half}">
    ${all}
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
      More attempts do not change the second number, only a better gate does: where a share p of the images is
      bad, and the gate catches a share r of those and accepts a share a of all, p(1-r)/a of what it accepts
      is bad.
    </p>
  </section>`;
}

function charts(counts: Tally): Html {
  const needed = inOrder(counts.attemptsOfAccepted, 0, (a, b) => a + b).map(([name, value]): Bar => ({
    name,
    value,
    label: count(value),
    hint: `${plural(value, 'image', count)} took ${name === '1' ? '1 attempt' : `${name} attempts`}`,
  }));
  const nothing = { judged: 0, rejected: 0 };
  const rejection = inOrder(counts.byNumber, nothing, (a, b) => ({
    judged: a.judged + b.judged,
    rejected: a.rejected + b.rejected,
  })).map(([name, { judged, rejected }]): Bar => ({
    name,
    note: `of ${compact(judged)}`,
    value: judged === 0 ? 0 : rejected / judged,
    label: percent(rejected, judged),
    hint: `attempt ${name}: ${count(rejected)} of ${count(judged)} rejected`,
  }));
  const chart = (bars: Bar[], max: number, name: string): Html =>
    barChart(bars, max, `${name}: ${bars.map(({ hint }) => hint).join('; ')}`);
  return html`<div class="panels">
    <section class="panel">
      <h2>Attempts per image</h2>
      ${
        counts.accepted === 0
          ? html`<p>No image was accepted.</p>`
          : html`<p>How many attempts ${words(counts.accepted)} took.</p>
              ${chart(needed, Math.max(...needed.map(({ value }) => value)), 'Attempts per image')}`
      }
    </section>
    <section class="panel bad">
      <h2>Rejection by rung</h2>
      ${
        counts.judged === 0
          ? html`<p>No attempt was judged.</p>`
          : html`<p>The share of first attempts, second attempts and so on that was rejected.</p>
              ${chart(rejection, 1, 'Rejection by rung')}`
      }
    </section>
  </div>`;
}

const words = (accepted: number): string =>
  accepted === 1 ? 'the accepted image' : `the ${count(accepted)} accepted images`;

/** From 1 on without gaps; what does not fit stands together in the last place. */
function inOrder<T>(values: Map<number, T>, none: T, add: (a: T, b: T) => T): [string, T][] {
  const last = Math.max(0, ...values.keys());
  const bars = Array.from({ length: Math.min(last, maxBars) }, (_, place): [string, T] => [
    String(place + 1),
    values.get(place + 1) ?? none,
  ]);
  if (last <= maxBars) return bars;
  const rest = [...values].filter(([number]) => number >= maxBars).map(([, value]) => value);
  return [...bars.slice(0, -1), [`${maxBars}+`, rest.reduce(add)]];
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
    ${notKept > 0 && html`${plural(notKept, 'rejected image', count)} ${notKept === 1 ? 'was' : 'were'} not kept (<code>output.keep_rejected</code>).`}
    Every attempt of every shot is in manifest.jsonl beside this file. Written by reroll.
  </footer>`;
