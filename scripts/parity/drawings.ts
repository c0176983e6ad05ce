import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { draw } from '../../sketch/index.js';

/** The drawings that labels are compared on: request by number. Square and oblong, good and bad, of both styles. */
export const drawings = 60;
export const drawing = (seed: number) =>
  draw({
    prompt: seed % 2 === 0 ? 'a hand waving' : 'a hand waving, photo',
    negative_prompt: '',
    seed,
    steps: 20,
    width: [512, 384, 512][seed % 3] ?? 512,
    height: [512, 512, 384][seed % 3] ?? 512,
    badRate: 0.5,
  });

// As a program: writes them as PNG to the folder that is named, for scripts/parity/labels.py.
const [, program = '', folder] = process.argv;
if (program.endsWith('drawings.ts') && folder !== undefined) {
  await mkdir(folder, { recursive: true });
  for (let seed = 0; seed < drawings; seed++)
    await writeFile(join(folder, `${String(seed).padStart(2, '0')}.png`), (await drawing(seed)).pixels);
}
