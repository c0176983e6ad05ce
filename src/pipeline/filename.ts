/** What a file name may be made of. Names that people give are cut to 60 bytes; the others are short by nature. */
export const filenameFields = {
  run: "the run's id: portraits-3",
  prompt: "the prompt's name",
  shot: "the shot's number in the run, as long as the last one's, so that names sort: 007 of 500",
  slug: 'words of the prompt, as many as fit: a-hand-that-waves',
  seed: 'the seed',
  attempt: "the attempt's number",
  date: 'the day on which the image was published: 2026-05-17',
  backend: 'the server that made it',
  checkpoint: 'the checkpoint that was asked for',
} as const;

export type FilenameField = keyof typeof filenameFields;
export type FilenameValues = Readonly<Record<FilenameField, string | number>>;

const longestValue = 60;
/** Most file systems take 255 bytes in a name; the extension and a temporary suffix need room. */
const longestName = 220;

const field = /\{\{\s*([^{}]*?)\s*\}\}/g;
/** Windows gives these names to devices, with any extension. */
const reserved = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i;
/** What a run puts into its folder beside the images: no folder of theirs may be called so. */
const runsOwn = /^(manifest\.jsonl|report(-[a-z]+-\d+)?\.html|rejected|review|thumbnails)$/i;
const unsafe = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069<>:"/\\|?*]/g;

/** What is wrong with a template of `output.filename`; nothing where it is fine. */
export function checkFilename(template: string): string[] {
  const known = Object.keys(filenameFields);
  const fields = [...template.matchAll(field)].map(([, name = '']) => name);
  const strange = fields.filter((name) => !known.includes(name));
  if (strange.length > 0) {
    return strange.map(
      (name) => `there is no {{${name}}} to put into a file name. Known: ${known.join(', ')}.`,
    );
  }
  // Every field filled with its longest value, so that what is left is the template's own text.
  const filled = template.replace(field, 'v'.repeat(longestValue));
  const parts = filled.split(/[/\\]/);
  const problems = [];
  if (!fields.includes('shot'))
    problems.push('{{shot}} is missing: without it two shots could land on one file.');
  else if (/[\d}]\{\{\s*shot\b|\bshot\s*\}\}[\d{]/.test(template)) {
    problems.push(
      '{{shot}} must not touch a digit or another field: 1 and 23 would look like 12 and 3. Put a dash between.',
    );
  }
  if (/^[/\\]|^[A-Za-z]:/.test(filled) || parts.includes('..') || parts.includes('.')) {
    problems.push(
      "the name leads out of the run's folder. Take '..', '.' and a leading '/' out, or change output.dir.",
    );
  } else if (parts.includes('')) problems.push("a folder's name is empty: '//' or a '/' at the end.");
  if (filled.replace(/[/\\]/g, '').search(unsafe) >= 0 || /[{}]/.test(filled)) {
    problems.push(
      'a file name takes none of < > : " | ? * { } and no control characters. Fields are written {{shot}}.',
    );
  }
  if (parts.some((part) => Buffer.byteLength(part) > longestName)) {
    problems.push(
      `a name may become longer than ${longestName} bytes. Use fewer fields, or put a '/' between them.`,
    );
  }
  if (/\.(png|jpe?g|webp)$/i.test(filled))
    problems.push('leave the extension out: it is added as the server sends it.');
  return problems;
}

/**
 * The path of an image below its run's folder, `/` between folders, without extension. Whatever the values
 * are, it stays inside the folder and is a legal name on Linux, macOS and Windows.
 */
export function renderFilename(template: string, values: FilenameValues): string {
  return withoutRunFolder(template)
    .split(/[/\\]/)
    .map((part) => legal(part.replace(field, (_, name: FilenameField) => clean(String(values[name])))))
    .map((part, index, { length }) => (index === 0 && length > 1 && runsOwn.test(part) ? `_${part}` : part))
    .join('/');
}

/** The path, and what to call the file instead where another has that name; the same for the same shot. */
export function* otherNames(path: string, shot: number): Generator<string> {
  yield path;
  const dot = path.lastIndexOf('.');
  for (let turn = 1; turn < 10; turn++) {
    yield `${path.slice(0, dot)}~${shot}${turn === 1 ? '' : `-${turn}`}${path.slice(dot)}`;
  }
}

/** Images lie in the run's folder anyway: `{{run}}/` at the beginning says the same. */
const withoutRunFolder = (template: string): string => template.replace(/^\{\{\s*run\s*\}\}[/\\](?=.)/, '');

/** The words of a prompt, without weights and tags, as many as fit; `-` between them. */
export function slugOf(prompt: string): string {
  const words = prompt
    .replace(/<[^<>]*>/g, ' ')
    .replace(/['’]|:[\d.]+(?=[)\]])/g, '')
    .normalize('NFC')
    .toLowerCase()
    .match(/[\p{L}\p{M}\p{N}]+/gu);
  const [first = '', ...rest] = words ?? [];
  let slug = first;
  for (const word of rest) {
    if (Buffer.byteLength(slug) + 1 + Buffer.byteLength(word) > longestValue) break;
    slug += `-${word}`;
  }
  return slug;
}

function clean(value: string): string {
  let short = value.normalize('NFC').replace(unsafe, '_').replace(/\s+/g, ' ').trim().slice(0, longestValue);
  while (Buffer.byteLength(short) > longestValue) short = short.slice(0, -1);
  return short.replace(/[\ud800-\udbff]$/, '') || '_';
}

function legal(part: string): string {
  const name = part.replace(/[. ]+$/, '').replace(/^ +/, '') || '_';
  return reserved.test(name) ? `_${name}` : name;
}
