import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { markOf, type Mark } from './groups.js';
import { html, type Html } from './html.js';
import { changesOf } from './manifest.js';
import { thumbnailPath, writeThumbnail } from './thumbnail.js';
import type { ReportAttempt, ReportShot } from './types.js';
import { cut } from './words.js';

/** Letters of a name, of a rule or a changed setting, and of a prompt. */
const maxName = 80;
const maxLine = 200;
const maxPrompt = 1_000;
const maxLabels = 8;

/** Where the image of a judged attempt lies, below the run's folder; undefined: it is not kept. */
export type FileOf<S extends ReportShot> = (shot: S, attempt: S['attempts'][number]) => string | undefined;

/** The cards of a shot, one beside another: one for each judged attempt of which a picture is left, or should be. */
export async function cardsOf<S extends ReportShot>(
  shot: S,
  fileOf: FileOf<S>,
  folder: string,
): Promise<Html[]> {
  const judged = shot.attempts.filter(({ verdict }) => verdict);
  const pictures = await Promise.all(
    judged.map((attempt) =>
      pictureOf(folder, { shot: shot.index, number: attempt.number }, fileOf(shot, attempt)),
    ),
  );
  const shown = judged.flatMap((attempt, place) => {
    const picture = pictures[place];
    return picture ? [{ attempt, picture }] : [];
  });
  return shown.map(({ attempt, picture }, place) => card(shot, attempt, picture, place));
}

/** What can be shown of an attempt. Paths are below the run's folder. */
interface Picture {
  thumbnail?: string;
  file?: string;
  /** Should be there, and is not any more. */
  gone?: string;
}

/** Makes the thumbnail where there is none yet: once for each image, however often a report is written. */
async function pictureOf(
  folder: string,
  key: { shot: number; number: number },
  file: string | undefined,
): Promise<Picture | undefined> {
  const path = thumbnailPath(key.shot, key.number);
  const [hasThumbnail, hasFile] = await Promise.all([
    isThere(join(folder, path)),
    file !== undefined && isThere(join(folder, file)),
  ]);
  const hasPicture =
    hasThumbnail ||
    (hasFile && file !== undefined && (await writeThumbnail(folder, key, join(folder, file))));
  if (!hasPicture && file === undefined) return undefined;
  return {
    ...(hasPicture && { thumbnail: path }),
    ...(hasFile && file !== undefined && { file }),
    ...(!hasFile && file !== undefined && { gone: file }),
  };
}

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

const marks: { [Kind in Mark]: string } = {
  accepted: 'accepted',
  review: 'for review',
  kept: 'kept as the best',
  rejected: 'rejected',
  earlier: 'accepted earlier',
};

/**
 * Few elements, since a browser has ten thousand cards to read: a `details` alone would cost as much as all the rest.
 * What a touch opens has the focus. `place`: which of the shot's cards it is; links to the shot lead to the first.
 */
function card(shot: ReportShot, attempt: ReportAttempt, picture: Picture, place: number): Html {
  const mark = markOf(shot, attempt) ?? 'rejected';
  const rejected = attempt.verdict?.rejected;
  const words = marks[mark];
  const name = cut(shot.prompt, maxName);
  const alt = `${name}, shot ${shot.index}, attempt ${attempt.number}: ${words}`;
  return html`<figure class="${mark}${place > 0 && ' next'}" ${place === 0 && html` id="s${shot.index}"`}>
    ${pictureLink(picture, alt)}
    <figcaption tabindex="0">
      <b>${name}</b
      >${`\nshot ${shot.index}, attempt ${attempt.number}\n`}<em>${Number.isFinite(rejected) ? `${words}, ${rejected?.toFixed(2)}` : words}</em>${about(shot, attempt, picture)}
    </figcaption>
  </figure>`;
}

function pictureLink({ thumbnail, file, gone }: Picture, alt: string): Html {
  const picture =
    thumbnail === undefined
      ? html`<i>${gone === undefined ? `${file} cannot be shown` : `${gone} is not there any more`}</i>`
      : html`<img loading="lazy" decoding="async" src="${thumbnail}" alt="${alt}" />`;
  const target = file ?? thumbnail;
  return target === undefined ? html`<a>${picture}</a>` : html`<a href="${link(target)}">${picture}</a>`;
}

const link = (file: string): string => file.split('/').map(encodeURIComponent).join('/');

/** What opens at a touch. */
function about(shot: ReportShot, attempt: ReportAttempt, { gone }: Picture): Html {
  const { verdict, candidate, backend, repair } = attempt;
  const { prompt, negative_prompt: negative } = attempt.request;
  const changes = Object.entries(changesOf(shot, attempt) ?? {}).filter(
    ([setting]) => !setting.endsWith('prompt'),
  );
  const lines = [
    verdict?.rule !== undefined && cut(verdict.rule, maxLine),
    negative !== undefined && negative !== '' && `not: ${cut(negative, maxPrompt)}`,
    ...(verdict?.scores.slice(0, maxLabels).map(scoreLine) ?? []),
    `seed ${candidate?.seed ?? attempt.request.seed}`,
    backend !== undefined &&
      `${cut(backend, maxName)}${candidate ? `, ${candidate.seconds.toFixed(1)} s` : ''}`,
    changes.length > 0 &&
      `changed: ${cut(changes.map(([key, value]) => `${key} ${show(value)}`).join(', '), maxLine)}`,
    repair && (candidate?.unchanged ? 'the repair changed nothing' : 'repaired'),
    gone !== undefined && `${cut(gone, maxLine)} is not there any more`,
  ].filter((line) => line !== false && line !== undefined);
  return html`<p>${cut(prompt, maxPrompt)}<small>${lines.join('\n')}</small></p>`;
}

const scoreLine = ({ label, score }: { label: string; score: number }): string =>
  `${Number.isFinite(score) ? score.toFixed(2) : 'no number'} ${cut(label, maxName).replaceAll('_', ' ')}`;

const show = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));
