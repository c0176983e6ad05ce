import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

// The long form: npm run test:fuzz -- --inputs 20000
it('no parser of outside text crashes, hangs or grows at inputs that it does not expect', async () => {
  const fuzz = promisify(execFile)(process.execPath, [
    '--import',
    'tsx',
    'test/fuzz/index.ts',
    '--inputs',
    '300',
  ]);
  await expect(fuzz).resolves.toMatchObject({ stderr: '' });
}, 120_000);
