import { plural } from '../base/plural.js';
import { barChart, maxBars, type Bar } from './charts.js';
import { html, type Html } from './html.js';
import type { Tally } from './tally.js';
import { compact, count, duration, percent } from './words.js';

/** Counts of really bad images, where the servers know what they drew. */
export interface Truth {
  accepted: number;
  badAccepted: number;
  firstAttempts: number;
  badFirstAttempts: number;
}

export function tiles({ shots, outcomes, judged, rejected, serverSeconds }: Tally): Html {
  const tile = (value: string, words: string, kind = ''): Html =>
    html`<div class="tile ${kind}"><b>${value}</b><span>${words}</span></div>`;
  const { accepted, exhausted, failed, cancelled } = outcomes;
  const open = shots - accepted - exhausted - failed - cancelled;
  const all = [
    tile(`${count(accepted)} / ${count(shots)}`, 'shots accepted', accepted > 0 ? 'good' : 'bad'),
    open > 0 && tile(count(open), 'not over yet'),
    tile(accepted === 0 ? '–' : (judged / accepted).toFixed(2), 'attempts per accepted image'),
    tile(count(judged), judged === 1 ? 'attempt judged' : 'attempts judged'),
    tile(count(rejected), `rejected (${percent(rejected, judged)})`, rejected > 0 ? 'bad' : ''),
    exhausted > 0 && tile(count(exhausted), 'exhausted: budget spent', 'kept'),
    failed > 0 && tile(count(failed), 'failed: the reasons are below', 'bad'),
    cancelled > 0 && tile(count(cancelled), 'cancelled'),
    tile(duration(serverSeconds), 'spent by servers'),
  ].filter((shown) => shown !== false);
  // In one row or two: a last one alone would look forgotten.
  const half = Math.ceil(all.length / 2);
  return html`<div class="tiles" style="--wide: ${all.length > 6 ? half : all.length}; --narrow: ${half}">
    ${all}
  </div>`;
}

export function truthSection({ accepted, badAccepted, firstAttempts, badFirstAttempts }: Truth): Html {
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

export function charts({ outcomes, judged, attemptsOfAccepted, byNumber }: Tally): Html {
  const needed = inOrder(attemptsOfAccepted, 0, (a, b) => a + b).map(([name, value]): Bar => ({
    name,
    value,
    label: count(value),
    hint: `${plural(value, 'image', count)} took ${name === '1' ? '1 attempt' : `${name} attempts`}`,
  }));
  const nothing = { judged: 0, rejected: 0 };
  const rejection = inOrder(byNumber, nothing, (a, b) => ({
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
        outcomes.accepted === 0
          ? html`<p>No image was accepted.</p>`
          : html`<p>How many attempts ${words(outcomes.accepted)} took.</p>
              ${chart(needed, Math.max(...needed.map(({ value }) => value)), 'Attempts per image')}`
      }
    </section>
    <section class="panel bad">
      <h2>Rejection by rung</h2>
      ${
        judged === 0
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
