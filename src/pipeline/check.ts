import { statSync } from 'node:fs';
import path from 'node:path';
import { ConfigError } from '../errors.js';
import { scriptPictures, workflowOfRepair, type ImageRequest } from '../loop/index.js';
import { traitsOf } from './backends.js';
import { changesOfNothing } from './changes.js';
import type { Environment } from './environment.js';
import { keyName } from './explain.js';
import type { Path } from './located.js';
import { displayPath } from './problems.js';
import { promptFileKinds } from './rows.js';
import type { Settled } from './schema.js';
import { tooLarge } from './size.js';
import { isGlob } from './start-images.js';
import { parseTemplate } from './template.js';

export interface Fault {
  path: Path;
  message: string;
}

/** What one value alone cannot show: names that clash, files that are not there, braces that do not match. */
export function checkPipeline(pipeline: Settled, environment: Environment, isRecorded: boolean): Fault[] {
  return [
    ...duplicateNames(pipeline),
    ...urlsThatGoOn(pipeline),
    ...missingTags(pipeline),
    ...(isRecorded ? [] : missingFiles(pipeline)),
    ...brokenPrompts(pipeline, new Set(environment.keys())),
    ...changesOfNothing(pipeline),
    ...tooLarge(pipeline),
  ];
}

function* duplicateNames({ backends }: Settled): Generator<Fault> {
  const names = backends.map(({ name }) => name);
  for (const [index, name] of names.entries()) {
    if (names.indexOf(name) === index) continue;
    yield {
      path: ['backends', index, 'name'],
      message: `two backends are called '${name}'. Give each its own name.`,
    };
  }
}

function* urlsThatGoOn({ backends }: Settled): Generator<Fault> {
  for (const [index, backend] of backends.entries()) {
    const mark = 'url' in backend ? /[?#]/.exec(backend.url)?.[0] : undefined;
    if (mark === undefined) continue;
    const path = ['backends', index, 'url'];
    const message = `${keyName(path)}: leave out everything from the ${mark} on. A token goes into auth, as "Bearer ...".`;
    yield { path, message };
  }
}

function* missingTags({ backends, prompts }: Settled): Generator<Fault> {
  for (const [index, { tags = [] }] of prompts.entries()) {
    const message = tagsMissing(tags, backends);
    if (message) yield { path: ['prompts', index, 'tags'], message };
  }
}

/** Says that no backend has all of `tags`, where that is so. */
export function tagsMissing(tags: readonly string[], backends: Settled['backends']): string | undefined {
  if (backends.some((backend) => tags.every((tag) => backend.tags.includes(tag)))) return undefined;
  return `no backend has the tags ${tags.join(', ')}: the image could never be made. Give them to a backend, or take them out.`;
}

function* missingFiles({
  backends,
  generate,
  prompts,
  wildcards,
  pictures,
  retry,
}: Settled): Generator<Fault> {
  for (const [index, backend] of backends.entries()) {
    for (const [key, file] of Object.entries(traitsOf(backend).files))
      yield* needFile(['backends', index, key], file);
  }
  yield* needImages(['generate'], generate);
  for (const [index, prompt] of prompts.entries()) {
    if (prompt.file !== undefined) yield* needPromptFile(['prompts', index, 'file'], prompt.file);
    yield* needImages(['prompts', index], prompt);
    for (const key of ['init_image', 'mask'] as const) {
      for (const [place, file] of (prompt.matrix?.[key] ?? []).entries()) {
        yield* needImage(['prompts', index, 'matrix', key, place], file);
      }
    }
    for (const [place, a1111] of (prompt.matrix?.a1111 ?? []).entries())
      yield* needScriptPictures(['prompts', index, 'matrix', 'a1111', place], a1111);
  }
  if (wildcards !== undefined) yield* needFile(['wildcards'], wildcards, 'folder');
  for (const [index, folder] of pictures.entries()) yield* needFile(['pictures', index], folder, 'folder');
  for (const [index, rung] of retry.ladder.entries()) {
    if (typeof rung === 'object' && rung.adjust)
      yield* needImages(['retry', 'ladder', index, 'adjust'], rung.adjust as Images);
    const workflow = typeof rung === 'object' && rung.repair && workflowOfRepair(rung.repair);
    if (workflow) yield* needFile(['retry', 'ladder', index, 'repair', 'workflow'], workflow);
  }
}

type Images = Partial<Pick<ImageRequest, 'init_image' | 'mask' | 'a1111'>>;

function* needImages(at: Path, settings: Images): Generator<Fault> {
  for (const key of ['init_image', 'mask'] as const) {
    if (settings[key] !== undefined) yield* needImage([...at, key], settings[key]);
  }
  if (settings.a1111) yield* needScriptPictures([...at, 'a1111'], settings.a1111);
}

/** Shots may start from all pictures of a folder: whether there are any shows when they are listed. */
function* needImage(at: Path, file: string): Generator<Fault> {
  const isList = at.at(-1) === 'init_image' || at.at(-2) === 'init_image';
  if (isList && at[0] !== 'retry') {
    const isThere = statSync(file, { throwIfNoEntry: false });
    if (isThere ? isThere.isDirectory() : isGlob(file)) return;
  }
  yield* needFile(at, file);
}

function* needScriptPictures(at: Path, a1111: NonNullable<ImageRequest['a1111']>): Generator<Fault> {
  for (const file of scriptPictures({ a1111 })) yield* needFile([...at, 'alwayson_scripts'], file);
}

function* needPromptFile(at: Path, file: string): Generator<Fault> {
  const kind = path.extname(file).toLowerCase();
  if ((promptFileKinds as readonly string[]).includes(kind)) yield* needFile(at, file);
  else
    yield {
      path: at,
      message: `a prompt file ends in ${promptFileKinds.join(', ')}; this one is called ${path.basename(file)}.`,
    };
}

function* needFile(at: Path, file: string, kind: 'file' | 'folder' = 'file'): Generator<Fault> {
  const stat = statSync(file, { throwIfNoEntry: false });
  if (!stat)
    yield {
      path: at,
      message: `${keyName(at)}: there is no ${kind} ${displayPath(file)}. Paths count from the file that names them.`,
    };
  else if (kind === 'folder' ? !stat.isDirectory() : !stat.isFile()) {
    const is = stat.isDirectory() ? 'a folder' : stat.isFile() ? 'a file' : 'a pipe or a device';
    yield { path: at, message: `${keyName(at)}: ${displayPath(file)} is ${is}, and a ${kind} is needed.` };
  }
}

function* brokenPrompts({ generate, prompts }: Settled, environment: ReadonlySet<string>): Generator<Fault> {
  yield* brokenTemplate(['generate', 'negative_prompt'], generate.negative_prompt, environment);
  for (const [index, { text, negative_prompt, matrix }] of prompts.entries()) {
    yield* brokenTemplate(['prompts', index, 'text'], text, environment);
    yield* brokenTemplate(['prompts', index, 'negative_prompt'], negative_prompt, environment);
    for (const [place, negative] of (matrix?.negative_prompt ?? []).entries()) {
      yield* brokenTemplate(['prompts', index, 'matrix', 'negative_prompt', place], negative, environment);
    }
  }
}

function* brokenTemplate(
  at: Path,
  text: string | undefined,
  environment: ReadonlySet<string>,
): Generator<Fault> {
  try {
    if (text !== undefined) parseTemplate(text, environment);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    yield { path: at, message: `${keyName(at)}, ${error.message}` };
  }
}
