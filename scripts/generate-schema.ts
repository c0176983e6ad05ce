/**
 * Writes config/pipeline.schema.json and docs/pipeline.md from the pipeline's schema.
 * With --check it writes nothing and exits with 1 where one of them is stale.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { jsonSchema, referencePage } from '../src/pipeline/reference.js';

const files = { 'config/pipeline.schema.json': jsonSchema(), 'docs/pipeline.md': referencePage() };

for (const [file, wanted] of Object.entries(files)) {
  if (!process.argv.includes('--check')) await writeFile(file, wanted);
  else if ((await readFile(file, 'utf8').catch(() => '')) !== wanted) {
    process.stderr.write(`${file} is stale: run \`npm run schema\` and commit it.\n`);
    process.exitCode = 1;
  }
}
