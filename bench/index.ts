import { readdir } from 'node:fs/promises';

/** `npm run bench -- NAME [--json]`: prints ratios measured in one run; with --json the last line is one JSON object. */
const support = new Set(['index', 'arena', 'sketch-host', 'classify-host']);

const [name = ''] = process.argv.splice(2, 1);
const names = (await readdir(import.meta.dirname))
  .filter((file) => file.endsWith('.js'))
  .map((file) => file.slice(0, -3))
  .filter((file) => !support.has(file));

if (names.includes(name)) await import(`./${name}.js`);
else {
  console.error(`usage: npm run bench -- NAME [--json]\nbenchmarks: ${names.join(', ')}`);
  process.exitCode = 2;
}
