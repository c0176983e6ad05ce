import { cp, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { StorageError, systemCode } from '../errors.js';
import { run } from './run.js';

/** Runs the demo in the current folder: nothing is written where the package lies. A demo that is here is kept. */
export async function demo(): Promise<number> {
  const root = dirname(fileURLToPath(import.meta.resolve('reroll/package.json')));
  const pipeline = (await readFile(join(root, 'config/demo.yaml'), 'utf8'))
    .replace(/^# yaml-language-server.*\n#\n/, '')
    .replace('../models/demo', () => JSON.stringify(join(root, 'models/demo')))
    .replace('../out', 'out');
  try {
    await cp(join(root, 'config/wildcards'), 'wildcards', { recursive: true, force: false });
    await cp(join(root, 'config/prompts.txt'), 'prompts.txt', { force: false });
    await writeFile('demo.yaml', pipeline, { flag: 'wx' });
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') {
      const why = systemCode(error) ?? String(error);
      throw new StorageError(`cannot write the demo here: ${why}`, { cause: error });
    }
  }
  return run('demo.yaml', {});
}
