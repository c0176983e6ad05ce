import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { ConfigError } from '../../src/errors.js';
import type { Shot } from '../../src/loop/index.js';
import { expandShots, loadPipeline, type Pipeline } from '../../src/pipeline/index.js';

/** The least that a pipeline needs, prompts left out. */
export const oneSketch = 'backends: [{ name: a, kind: sketch }]\n';

/** A temporary folder with these files; removed when the test is over. Returns its path. */
export function folderWith(files: Record<string, string | Buffer>): string {
  const folder = mkdtempSync(join(tmpdir(), 'reroll-pipeline-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(files)) {
    const file = join(folder, name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
  }
  return folder;
}

/** Loads `p.yaml` of such a folder. */
export async function load(
  files: Record<string, string | Buffer>,
  options: { env?: NodeJS.ProcessEnv; set?: string[] } = {},
): Promise<Pipeline> {
  return loadPipeline(join(folderWith(files), 'p.yaml'), { env: {}, ...options });
}

/** What `load` complains about, with the temporary folder's name taken out. */
export async function complaint(
  files: Record<string, string | Buffer>,
  options: { env?: NodeJS.ProcessEnv; set?: string[] } = {},
): Promise<string> {
  return messageOf(load(files, options));
}

export async function messageOf(failing: Promise<unknown>): Promise<string> {
  const error: unknown = await failing.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(ConfigError);
  return (error as ConfigError).message.replace(/\S*reroll-pipeline-\w+\//g, '');
}

export async function shotsOf(pipeline: Pipeline, seed = 1): Promise<Shot[]> {
  const shots: Shot[] = [];
  for await (const shot of expandShots(pipeline, seed)) shots.push(shot);
  return shots;
}
