import { join } from 'node:path';
import { expect, it } from 'vitest';
import { resumeHint } from '../../src/cli/resume-hint.js';

it('a run is gone on with where its state is', () => {
  expect(resumeHint('hands-1', join(process.cwd(), '.reroll'))).toBe('To go on: reroll resume hands-1');
  expect(resumeHint('hands-1', '/else where/.reroll')).toBe(
    'To go on: cd "/else where" && reroll resume hands-1',
  );
});
