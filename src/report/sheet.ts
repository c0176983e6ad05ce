import { join } from 'node:path';
import sharp from 'sharp';
import { html, type Html } from './html.js';
import { changesOf } from './manifest.js';
import { groupOf, type FileOf, type Group } from './tally.js';
import type { ReportAttempt, ReportShot } from './types.js';

/** Pictures of a group that are embedded: 300 drawings are 1 MB in the page, 300 noisy photographs 10 MB. */
export const maxPictures = 300;
/** Pixels of the longer side. */
const thumbnailSide = 240;
const maxLabels = 4;

/** The cards of a group, at most `maxPictures`, spread evenly over the run. `total`: how many there are. */
export async function* cards<S extends ReportShot>(
  shots: AsyncIterable<S>,
  fileOf: FileOf<S>,
  folder: string,
  group: Group,
  total: number,
): AsyncGenerator<string> {
  const every = Math.ceil(total / maxPictures);
  let seen = 0;
  let batch: Promise<Html>[] = [];
  for await (const shot of shots) {
    for (const attempt of shot.attempts) {
      const file = groupOf(shot, attempt) === group ? fileOf(shot, attempt) : undefined;
      if (file === undefined || seen++ % every !== 0) continue;
      batch.push(card(shot, attempt, folder, file));
    }
    // A few at a time: decoding uses every core, and memory stays flat.
    if (batch.length < 8) continue;
    yield* texts(await Promise.all(batch));
    batch = [];
  }
  yield* texts(await Promise.all(batch));
}

const texts = (parts: Html[]): string[] => parts.map(({ text }) => text);

async function card(shot: ReportShot, attempt: ReportAttempt, folder: string, file: string): Promise<Html> {
  const { verdict } = attempt;
  const changes = Object.entries(changesOf(shot, attempt) ?? {}).map(([setting, value]): [string, string] => [
    setting,
    show(value),
  ]);
  return html`<figure>
    ${await picture(shot, attempt, folder, file)}
    <figcaption>
      <div class="who"><b>${shot.prompt}</b> <span>shot ${shot.index}, attempt ${attempt.number}</span></div>
      ${verdict?.rule !== undefined && html`<div class="rule">${verdict.rule}</div>`}
      <dl>
        ${verdict?.scores.slice(0, maxLabels).map(
          ({ label, score }) =>
            html`<div style="--share: ${(score * 100).toFixed(1)}%">
              <dt title="${label}">${label.replaceAll('_', ' ')}</dt>
              <dd>${Number.isFinite(score) ? score.toFixed(2) : 'no number'}</dd>
            </div>`,
        )}
      </dl>
      <div class="how" title="${shot.request.prompt}">
        seed
        ${attempt.candidate?.seed ?? attempt.request.seed}${repairOf(attempt)}${
          changes.length > 0 &&
          html`,
            <span title="${changes.map((change) => change.join(': ')).join('\n')}"
              >changed: ${changes.map(brief).join(', ')}</span
            >`
        }
      </div>
    </figcaption>
  </figure>`;
}

const repairOf = ({ repair, candidate }: ReportAttempt): string | undefined =>
  repair && (candidate?.unchanged ? ', repair changed nothing' : ', repaired');

async function picture(
  shot: ReportShot,
  attempt: ReportAttempt,
  folder: string,
  file: string,
): Promise<Html> {
  const alt = `${attempt.verdict?.decision === 'accept' ? 'Accepted' : 'Rejected'} image of shot ${shot.index}, attempt ${attempt.number}: ${shot.request.prompt}`;
  try {
    const { data, info } = await sharp(join(folder, file))
      .resize(thumbnailSide, thumbnailSide, { fit: 'inside', withoutEnlargement: true })
      .webp({ quality: 70 })
      .toBuffer({ resolveWithObject: true });
    const source = `data:image/webp;base64,${data.toString('base64')}`;
    const link = file.split('/').map(encodeURIComponent).join('/');
    return html`<a href="${link}"
      ><img src="${source}" width="${info.width}" height="${info.height}" alt="${alt}"
    /></a>`;
  } catch {
    // A report of a run whose images were moved away is still a report.
    return html`<div class="gone">${file} is not there any more</div>`;
  }
}

/** A long value, such as a prompt, is left to the pointer that rests on it. */
const brief = ([setting, value]: [string, string]): string =>
  value.length <= 24 ? `${setting} ${value}` : setting;

const show = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));
