import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';

const commands = [
  [],
  ['run'],
  ['resume'],
  ['status'],
  ['classify'],
  ['doctor'],
  ['init'],
  ['sketch'],
  ['model'],
  ['model', 'pull'],
];

const script = (code: string) => `data:text/javascript,${encodeURIComponent(code)}`;
/** For `node --import`: tells on standard error of each module that is loaded. */
const tellLoads = script(`
  import { register } from 'node:module';
  register(${JSON.stringify(
    script(`
      import { writeSync } from 'node:fs';
      export function load(url, context, next) {
        writeSync(2, 'loads ' + url + '\\n');
        return next(url, context);
      }`),
  )});`);

/** The packages that are loaded by `reroll` with these arguments. */
async function packagesOf(args: string[]): Promise<string[]> {
  const child = spawn(process.execPath, ['--import', tellLoads, resolve('dist/src/cli/main.js'), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  expect(stdout).not.toBe('');
  const names = [...stderr.matchAll(/^loads .*\/node_modules\/((?:@[^/]+\/)?[^/]+)/gm)].map(
    ([, name]) => name,
  );
  return [...new Set(names as string[])];
}

describe('what a command loads before it works', () => {
  it.each(commands.map((args) => ({ args: [...args, '--help'] })))(
    '$args: commander alone',
    async ({ args }) => {
      expect(await packagesOf(args)).toEqual(['commander']);
    },
  );

  it('the version: commander alone', async () => {
    expect(await packagesOf(['--version'])).toEqual(['commander']);
  });
});
