import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { jsonSchema, referencePage } from '../../src/pipeline/reference.js';

test('the committed JSON schema and reference page are fresh', async () => {
  expect(jsonSchema()).toBe(await readFile('config/pipeline.schema.json', 'utf8'));
  expect(referencePage()).toBe(await readFile('docs/pipeline.md', 'utf8'));
});

test('every key has a meaning, a type and an example on the page', () => {
  const rows = referencePage()
    .split('\n')
    .filter((line) => /^\| `\w+` \|/.test(line));
  expect(rows.length).toBeGreaterThan(70);
  for (const row of rows) {
    const [, , type, , meaning, example] = row.split(/(?<!\\)\|/).map((cell) => cell.trim());
    expect(type, row).not.toBe('');
    expect(meaning, row).not.toBe('');
    // The long example of `backends` is the top of the page.
    if (!row.startsWith('| `backends` |')) expect(example, row).not.toBe('');
  }
});

test('the JSON schema knows every key of the file and refuses others', () => {
  const schema = JSON.parse(jsonSchema()) as { properties: object; additionalProperties: boolean };
  expect(Object.keys(schema.properties)).toEqual([
    'extends',
    'name',
    'seed',
    'wildcards',
    'pictures',
    'backends',
    'generate',
    'prompts',
    'gate',
    'retry',
    'output',
  ]);
  expect(schema.additionalProperties).toBe(false);
});
