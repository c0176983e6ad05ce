import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readWorkflowFile } from '../../src/backends/index.js';
import { readWorkflow } from '../../src/backends/comfyui/workflow.js';
import { addTextChunk } from '../../src/images/index.js';
import { testPicture } from '../support/pictures.js';
import { textToImage } from '../support/sketch-graphs.js';

const graph = textToImage(7, 'eine Hand 手');
const json = JSON.stringify(graph);
const ascii = json.replace(
  /[^\x20-\x7e]/g,
  (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
);
const picture = testPicture(64, 64);
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reroll-workflow-'));
});
afterAll(() => rm(folder, { recursive: true }));

const file = async (name: string, content: string | Buffer) => {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
};
const read = async (name: string, content: string | Buffer) =>
  readWorkflow(await readWorkflowFile(await file(name, content), readFile)).graph;

it.each<[string, () => string | Promise<Buffer>]>([
  ['as it is', () => json],
  ['posted to ComfyUI', () => JSON.stringify({ client_id: 'x', prompt: graph })],
  ['posted to a service', () => JSON.stringify({ input: { workflow: graph, images: [] } })],
  ['posted to another', () => JSON.stringify({ input: { prompt: graph } })],
  ['beside the editor’s', () => JSON.stringify({ workflow: { nodes: [], links: [] }, prompt: graph })],
  ['in a PNG of ComfyUI', async () => addTextChunk(await picture.clone().png().toBuffer(), 'prompt', ascii)],
  [
    'in a PNG, not in ASCII',
    async () => addTextChunk(await picture.clone().png().toBuffer(), 'prompt', json),
  ],
  ...(['webp', 'jpeg'] as const).map((format): [string, () => Promise<Buffer>] => [
    `in a ${format} of ComfyUI`,
    () =>
      picture
        .clone()
        .withExif({ IFD0: { Make: 'workflow:{"nodes":[]}', Model: `prompt:${ascii}` } })
        .toFormat(format)
        .toBuffer(),
  ]),
])('a workflow is read %s', async (_, content) => {
  expect(await read('workflow', await content())).toEqual(graph);
});

it('a picture without one, the editor’s own format and no file are told in words', async () => {
  await expect(read('a.png', await picture.clone().png().toBuffer())).rejects.toThrow(
    'is a picture without a workflow in it',
  );
  const editor = { input: { workflow: { nodes: [], links: [] } } };
  await expect(read('b.json', JSON.stringify(editor))).rejects.toThrow("as ComfyUI's editor saves it");
  await expect(readWorkflowFile(join(folder, 'none'), readFile)).rejects.toThrow(/cannot be read \(ENOENT\)/);
});
