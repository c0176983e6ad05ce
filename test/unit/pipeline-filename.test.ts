import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { otherNames, renderFilename, slugOf, type FilenameValues } from '../../src/pipeline/index.js';
import { checkFilename } from '../../src/pipeline/filename.js';

const values: FilenameValues = {
  run: 'portraits-3',
  prompt: 'p1',
  shot: 7,
  slug: 'a-hand',
  seed: 42,
  attempt: 2,
  date: '2026-05-17',
  backend: 'forge',
  checkpoint: 'sd.safetensors',
};

test('fields are put in, with or without blanks', () => {
  expect(renderFilename('{{prompt}}/{{ shot }}-{{seed}}', values)).toBe('p1/7-42');
});

test("a leading {{run}}/ says what is so anyway: files lie in the run's folder", () => {
  expect(renderFilename('{{run}}/{{shot}}', values)).toBe('7');
  expect(renderFilename('{{run}}-{{shot}}', values)).toBe('portraits-3-7');
});

describe('values cannot leave the folder or make an illegal name', () => {
  test.each([
    ['../../etc', '.._.._etc-7'],
    ['a\\b:c*?"<>|', 'a_b_c______-7'],
    ['\u0000\n\u202e', '___-7'],
    ['', '_-7'],
    ['CON', 'CON-7'],
  ])('%j', (prompt, expected) => {
    expect(renderFilename('{{prompt}}-{{shot}}', { ...values, prompt })).toBe(expected);
  });

  test('device names of Windows get an underscore, trailing dots go', () => {
    expect(renderFilename('{{checkpoint}}/{{shot}}', { ...values, checkpoint: 'nul' })).toBe('_nul/7');
    expect(renderFilename('{{checkpoint}}/{{shot}}', { ...values, checkpoint: '..' })).toBe('_/7');
    expect(renderFilename('{{prompt}} {{shot}}', { ...values, prompt: 'com1.x' })).toBe('_com1.x 7');
  });

  test('whatever they are', () => {
    const value = fc.string({ unit: 'binary', maxLength: 300 });
    fc.assert(
      fc.property(value, value, (prompt, checkpoint) => {
        const name = renderFilename('{{checkpoint}}/{{prompt}}-{{shot}}', { ...values, prompt, checkpoint });
        const parts = name.split('/');
        expect(parts).toHaveLength(2);
        for (const part of parts) {
          expect(part).not.toMatch(/^\.{1,2}$|[\\:*?"<>|\p{Cc}]|[. ]$|^$/u);
          expect(Buffer.byteLength(part)).toBeLessThan(220);
          expect(Buffer.from(part).toString()).toBe(part);
        }
        expect(name).toMatch(/-7$/);
      }),
    );
  });
});

describe('the slug of a prompt', () => {
  test.each([
    [
      'A pianist’s hand, (masterpiece:1.2), [bad|good] <lora:ink_v2:0.8>!',
      'a-pianists-hand-masterpiece-bad-good',
    ],
    ['手, ein Händedruck\n4k', '手-ein-händedruck-4k'],
    ['../../etc/passwd', 'etc-passwd'],
    ['…!', ''],
    ['open palm '.repeat(20), 'open-palm-open-palm-open-palm-open-palm-open-palm-open-palm'],
    ['w'.repeat(100), 'w'.repeat(100)],
  ])('%j', (prompt, slug) => {
    expect(slugOf(prompt)).toBe(slug);
  });

  test('is words and dashes, and a legal name, whatever the prompt', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (prompt) => {
        const slug = slugOf(prompt);
        expect(slug).toMatch(/^([\p{L}\p{M}\p{N}]+(-[\p{L}\p{M}\p{N}]+)*)?$/u);
        expect(renderFilename('{{slug}}-{{shot}}', { ...values, slug })).toMatch(/^[^/]+-7$/);
      }),
    );
  });
});

describe('templates', () => {
  test.each(['{{shot}}', '{{run}}/{{prompt}}-{{shot}}-{{seed}}', 'a/b c/{{date}} {{shot}}'])(
    '%s is fine',
    (template) => {
      expect(checkFilename(template)).toEqual([]);
    },
  );

  test.each([
    ['x', '{{shot}} is missing'],
    ['{{shots}}', 'there is no {{shots}}'],
    ['{{shot}}{{seed}}', 'must not touch'],
    ['1{{shot}}', 'must not touch'],
    ['a/../{{shot}}', 'leads out'],
    ['..\\{{shot}}', 'leads out'],
    ['C:\\{{shot}}', 'leads out'],
    ['/{{shot}}', 'leads out'],
    ['a//{{shot}}', 'is empty'],
    ['{{shot}}/', 'is empty'],
    ['{shot}-{{shot}}', 'Fields are written {{shot}}'],
    ['a:{{shot}}', 'takes none of'],
    ['{{shot}}.png', 'leave the extension out'],
    ['{{run}}-{{prompt}}-{{backend}}-{{checkpoint}}-{{shot}}', 'longer than'],
  ])('%s is refused', (template, message) => {
    expect(checkFilename(template).join()).toContain(message);
  });
});

test("no folder of images is one of the run's own", () => {
  for (const prompt of ['manifest.jsonl', 'Report.HTML', 'rejected', 'REVIEW', 'thumbnails']) {
    expect(renderFilename('{{prompt}}/{{shot}}', { ...values, prompt })).toBe(`_${prompt}/7`);
    expect(renderFilename('x/{{prompt}}/{{shot}}', { ...values, prompt })).toBe(`x/${prompt}/7`);
  }
  expect(renderFilename('Review/{{shot}}', values)).toBe('_Review/7');
});

test('a name that is taken gets the number of the shot, and its own number if need be', () => {
  const names = [...otherNames('a.b/c-1.png', 12)];
  expect(names.slice(0, 3)).toEqual(['a.b/c-1.png', 'a.b/c-1~12.png', 'a.b/c-1~12-2.png']);
  expect(new Set(names).size).toBe(10);
});
