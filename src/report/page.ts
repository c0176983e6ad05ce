import { plural } from '../base/plural.js';
import { groups, type Group } from './groups.js';
import { html, Html } from './html.js';
import { charts, tiles, truthSection, type Truth } from './overview.js';
import { anchorOf, firstPage, placeOfShot, placesOf, type Page, type Place } from './pages.js';
import type { WrittenPart } from './sheets.js';
import { style } from './style.js';
import type { Tally } from './tally.js';
import { count, cut } from './words.js';

/** All that the pages of a report show. */
export interface Content {
  run: string;
  name: string;
  model: string;
  asOf?: Date;
  truth?: Truth;
  tally: Tally;
  pages: Page<WrittenPart>[];
  /** The cards of a part. */
  read: (group: Group, part: WrittenPart) => AsyncIterable<string>;
}

type Places = ReadonlyMap<Group, readonly Place[]>;

/** One of its pages. */
export async function* pageTexts(content: Content, page: Page<WrittenPart>): AsyncGenerator<string> {
  const { tally, truth, read } = content;
  const places = placesOf(content.pages);
  const isFirst = page.file === firstPage;
  // Elements that are opened here and closed further down stand in plain strings: a formatter closes them in templates.
  yield '<!doctype html>\n<html lang="en">';
  yield head(content.run).text;
  yield '<body id="top">';
  yield title(content).text;
  yield menu(tally, places, page.file).text;
  if (isFirst) {
    yield tiles(tally).text;
    if (truth) yield truthSection(truth).text;
    yield charts(tally).text;
  }
  for (const [group, heading, words] of groups) {
    const section = page.sections.find((one) => one.group === group);
    const hasSection = section !== undefined || (isFirst && isListed(group, tally, places));
    if (!hasSection) continue;
    yield `<section id="${group}" class="${group}">`;
    yield html`<h2>${heading}</h2>
      <p>${words}</p>`.text;
    if (group === 'failed' && isFirst) yield failures(tally).text;
    if (group === 'review') yield elsewhere(tally, places).text;
    yield jumps(places.get(group) ?? [], page.file).text;
    for (const [at, part] of section?.parts.entries() ?? []) {
      const anchor = anchorOf(group, (section?.first ?? 1) + at);
      if (anchor !== group) yield html`<h3 id="${anchor}">From shot ${part.shot}</h3>`.text;
      yield `<div class="sheet" style="--cards: ${part.cards}">`;
      yield* read(group, part);
      yield '</div>';
    }
    if (section && !isFirst) yield jumps(places.get(group) ?? [], page.file).text;
    yield '</section>';
  }
  yield foot(tally).text;
  yield '</body></html>\n';
}

/** Sections of the whole report. */
const isListed = (group: Group, { outcomes, elsewhere }: Tally, places: Places): boolean =>
  places.has(group) ||
  (group === 'failed' && outcomes.failed > 0) ||
  (group === 'review' && elsewhere.images > 0);

/** Nothing may be loaded but the pictures beside the page, and there is no script. */
const policy =
  "default-src 'none'; img-src 'self' file:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

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

const title = ({ run, name, model, asOf, tally }: Content): Html =>
  html`<header>
    <h1>${run}</h1>
    <p>Pipeline <b>${name}</b>, judged by <b>${model}</b>.</p>
    ${asOf && html`<p class="now">${progress(tally, asOf)}</p>`}
  </header>`;

function progress({ shots, outcomes }: Tally, asOf: Date): string {
  const ended = Object.values(outcomes).reduce((sum, some) => sum + some, 0);
  const when = asOf.toLocaleString('en-GB', { dateStyle: 'long', timeStyle: 'short' });
  return `Written on ${when}, when ${count(ended)} of ${plural(shots, 'shot', count)} had ended.`;
}

/** Stays in sight: from one section to another without scrolling over thousands of pictures. */
const menu = (tally: Tally, places: Places, file: string): Html =>
  html`<nav class="menu">
    <a href="${hrefOf({ file: firstPage, anchor: 'top' }, file)}">Summary</a>
    ${groups
      .filter(([group]) => isListed(group, tally, places))
      .map(([group, heading]) => {
        const place = places.get(group)?.[0] ?? { file: firstPage, anchor: group };
        return html`<a class="${group}" href="${hrefOf(place, file)}"
          >${heading} <b>${count(shotsIn(group, tally))}</b></a
        >`;
      })}
  </nav>`;

const shotsIn = (group: Group, { outcomes, sections }: Tally): number =>
  group === 'failed' ? outcomes.failed : (sections.get(group)?.shots ?? 0);

const hrefOf = ({ file, anchor }: Pick<Place, 'file' | 'anchor'>, from: string): string =>
  `${file === from ? '' : file}#${anchor}`;

/** Links to the parts on this page, and to the other pages of the section. */
function jumps(places: readonly Place[], file: string): Html {
  const shown = places.filter((place, at) => place.file === file || place.file !== places[at - 1]?.file);
  const isAllHere = shown.every((place) => place.file === file);
  if (isAllHere && shown.length < 2) return new Html('');
  return html`<nav class="jumps">
    From shot ${shown.map((place) => html`<a href="${hrefOf(place, file)}">${place.shot}</a>`)}
  </nav>`;
}

const failures = ({ failures, otherFailures }: Tally): Html =>
  html`<ul>
    ${[...failures].map(
      ([reason, { count: all, shots }]) =>
        html`<li>
          <b>${plural(all, 'shot', count)}</b>: ${reason}<br />
          <small
            >${[...shots].map(([shot, prompt]) => `${cut(prompt, 80)}, shot ${shot}`).join('; ')}${
              all > shots.size && `; and ${count(all - shots.size)} more`
            }</small
          >
        </li>`,
    )}
    ${otherFailures > 0 && html`<li>${plural(otherFailures, 'shot', count)} for other reasons: see manifest.jsonl.</li>`}
  </ul>`;

function elsewhere({ elsewhere: { images, shots } }: Tally, places: Places): Html {
  if (images === 0) return new Html('');
  const links = [...shots].map(([shot, group]) => {
    const href = placeOfShot(shot, places.get(group) ?? []);
    return html` <a href="${href}">${shot}</a>`;
  });
  return html`<p>
    ${plural(images, 'image', count)} in review/
    ${images === 1 ? 'is of a shot that stands' : 'are of shots that stand'} elsewhere, since another attempt
    was accepted or is awaited: shot${links}${shots.size < images && ' and more'}.
  </p>`;
}

const foot = ({ notKept }: Tally): Html =>
  html`<footer>
    ${notKept > 0 && `Of ${plural(notKept, 'judged attempt', count)} no picture was kept (output.keep_rejected).`}
    Every attempt of every shot is in manifest.jsonl beside this file. Written by reroll.
  </footer>`;
