import { readFile, writeFile } from 'node:fs/promises';
import { format, parse } from 'node:path';
import { defaultModel } from '../base/default-model.js';
import { packaged } from '../base/packaged.js';
import { storing } from '../base/storage.js';
import { ConfigError } from '../errors.js';
import { exists } from '../base/files.js';
import { ask, canAsk } from './ask.js';
import { exitCodes } from './exit.js';
import { firstPipeline, type Family, type ServerKind } from './first-pipeline.js';
import { say } from './print.js';

export interface InitFlags {
  sdxl?: boolean;
  flux?: boolean;
  a1111?: boolean;
  comfyui?: boolean;
  force?: boolean;
}

/** Writes a first pipeline, and beside it the workflow that it names. */
export async function init(file: string, flags: InitFlags): Promise<number> {
  const family: Family = flags.sdxl ? 'sdxl' : flags.flux ? 'flux' : 'sd15';
  const server: ServerKind = flags.comfyui || (family !== 'sd15' && !flags.a1111) ? 'comfyui' : 'a1111';
  const { dir, name } = parse(file);
  const workflow = `${name}.api.json`;
  const texts = new Map([[file, firstPipeline(family, server, workflow)]]);
  if (server === 'comfyui') {
    const example = await readFile(packaged(`config/workflows/${family}.api.json`), 'utf8');
    texts.set(format({ dir, base: workflow }), example);
  }
  // All are asked for before one is written: half of an example helps nobody.
  const replaced = new Set<string>();
  for (const path of texts.keys()) {
    if (!(await exists(path))) continue;
    if (!flags.force && !(await mayReplace(path)))
      throw new ConfigError(`${path} is there already: name another file, or use --force.`);
    replaced.add(path);
  }
  for (const [path, text] of texts)
    await storing('write', path, () => writeFile(path, text, { flag: replaced.has(path) ? 'w' : 'wx' }));
  say(
    `Wrote ${[...texts.keys()].join(' and ')}. Put your server's address and your prompts in, then:\n` +
      `  reroll model pull ${defaultModel}    # once\n  reroll doctor ${file}\n  reroll run ${file}\n` +
      `Every key: ${packaged('docs/pipeline.md')}`,
  );
  return exitCodes.done;
}

async function mayReplace(path: string): Promise<boolean> {
  return canAsk() && /^y(es)?$/i.test(await ask(`${path} is there already. Overwrite it? (yes; no) `));
}
