import { relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { filesOf } from '../../src/loop/index.js';
import { expandShots } from '../../src/pipeline/index.js';
import { complaint, load, messageOf, oneSketch, shotsOf } from '../support/pipeline-folder.js';

const png = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
const poses = {
  'poses/b.png': png,
  'poses/a 1.PNG': png,
  'poses/deep/c.jpeg': png,
  'poses/deep/.hidden.png': png,
  'poses/notes.txt': 'no picture',
  'poses/old.bmp': 'BM',
};
const controlNet = (image: string) =>
  `{ alwayson_scripts: { controlnet: { args: [{ image: ${image}, model: control_v11p_sd15_openpose }] } } }`;

async function starts(yaml: string, more: Record<string, string> = {}) {
  const pipeline = await load({ ...poses, ...more, 'p.yaml': oneSketch + yaml });
  const shots = await shotsOf(pipeline);
  return shots.map(({ request }) => request.init_image && relative(pipeline.dir, request.init_image));
}

describe('init_image', () => {
  it.each([
    ['poses', ['poses/a 1.PNG', 'poses/b.png', 'poses/deep/c.jpeg']],
    ['./poses/', ['poses/a 1.PNG', 'poses/b.png', 'poses/deep/c.jpeg']],
    ["'poses/*'", ['poses/a 1.PNG', 'poses/b.png']],
    ["'poses/*.png'", ['poses/b.png']],
    ["'poses/**/*.jpeg'", ['poses/deep/c.jpeg']],
    ["'**/c.*'", ['poses/deep/c.jpeg']],
    ['poses/b.png', ['poses/b.png']],
  ])('%s is a shot for each picture, by name', async (place, files) => {
    expect(await starts(`generate: { init_image: ${place} }\nprompts: [{ text: a }]`)).toEqual(files);
    expect(await starts(`prompts: [{ text: a, init_image: ${place} }]`)).toEqual(files);
  });

  it('is combined with a matrix in the order of the settings, and with count', async () => {
    const pipeline = await load({
      ...poses,
      'p.yaml': `${oneSketch}prompts: [{ text: a, count: 2, init_image: 'poses/*', matrix: { steps: [1, 2], denoising_strength: [0.5, 0.6] } }]`,
    });
    const shots = await shotsOf(pipeline);
    expect(shots).toHaveLength(16);
    const values = shots.map(({ request: { steps, denoising_strength: strength, init_image: start } }) =>
      [steps, strength, start?.slice(-5)].join(' '),
    );
    expect(values.slice(0, 5)).toEqual([
      '1 0.5 1.PNG',
      '1 0.5 1.PNG',
      '1 0.5 b.png',
      '1 0.5 b.png',
      '1 0.6 1.PNG',
    ]);
  });

  it('of a matrix may be folders too, and a row of a table says its own', async () => {
    const matrix = `prompts: [{ text: a, matrix: { init_image: [poses/b.png, 'poses/deep/*'] } }]`;
    expect(await starts(matrix)).toEqual(['poses/b.png', 'poses/deep/c.jpeg']);
    const rows = { 'rows.csv': 'text,init_image\na,poses/b.png\nb,\n' };
    const files = await starts(`prompts: [{ file: rows.csv, init_image: 'poses/*' }]`, rows);
    expect(files).toEqual(['poses/b.png', 'poses/a 1.PNG', 'poses/b.png']);
  });

  it('without one picture is refused, with its place; formats that are left out are named', async () => {
    for (const place of ["'poses/*.webp'", "'none/*.png'"]) {
      const pipeline = await load({
        ...poses,
        'p.yaml': `${oneSketch}prompts: [{ text: a, init_image: ${place} }]`,
      });
      expect(await messageOf(shotsOf(pipeline))).toMatch(
        /^prompts\.0: init_image: no pictures match .*(webp|none)/,
      );
    }
    const pipeline = await load({
      ...poses,
      'p.yaml': `${oneSketch}prompts: [{ text: a, init_image: poses }]`,
    });
    const notes: string[] = [];
    await expandShots(pipeline, 1, { onNote: (note) => notes.push(note) }).next();
    expect(notes).toEqual([expect.stringMatching(/poses: 1 \.bmp left out/)]);
  });

  it('of a rung, and a mask, are one file', async () => {
    const rung = `prompts: [{ text: a }]\nretry: { ladder: [{ adjust: { init_image: poses } }] }`;
    expect(await complaint({ ...poses, 'p.yaml': oneSketch + rung })).toContain(
      'poses is a folder, and a file is needed',
    );
    const mask = `prompts: [{ text: a, init_image: poses, mask: 'poses/*' }]`;
    expect(await complaint({ ...poses, 'p.yaml': oneSketch + mask })).toContain('there is no file poses/*');
  });
});

describe("pictures of A1111's scripts", () => {
  const picturesOf = async (...args: Parameters<typeof load>) => {
    const pipeline = await load(...args);
    const shots = await shotsOf(pipeline);
    return shots.flatMap(({ request }) => filesOf(request).map((file) => relative(pipeline.dir, file)));
  };

  it('are paths from the file that names them, wherever fields for A1111 may stand', async () => {
    const inGenerate = `generate: { a1111: ${controlNet('poses/b.png')} }\nprompts: [{ text: a }]`;
    expect(await picturesOf({ ...poses, 'p.yaml': oneSketch + inGenerate })).toEqual(['poses/b.png']);
    const inMatrix = `prompts: [{ text: a, matrix: { a1111: [${controlNet('./poses/b.png')}, ${controlNet('poses/deep/c.jpeg')}] } }]`;
    expect(await picturesOf({ ...poses, 'p.yaml': oneSketch + inMatrix })).toEqual([
      'poses/b.png',
      'poses/deep/c.jpeg',
    ]);
    const extended = {
      ...poses,
      'poses/base.yaml': `generate: { a1111: ${controlNet('b.png')} }`,
      'p.yaml': `extends: [poses/base.yaml]\n${oneSketch}prompts: [{ text: a }]`,
    };
    expect(await picturesOf(extended)).toEqual(['poses/b.png']);
    const rows = {
      ...poses,
      'poses/rows.jsonl': JSON.stringify({
        text: 'a',
        a1111: { alwayson_scripts: { ControlNet: { args: [{ image: 'b.png' }] } } },
      }),
      'p.yaml': `${oneSketch}prompts: [{ file: poses/rows.jsonl }]`,
    };
    expect(await picturesOf(rows)).toEqual(['poses/b.png']);
  });

  it('leave all else as it is', async () => {
    const scripts = {
      controlnet: {
        args: ['https://h/a.png', 'data:image/png;base64,AAAA', 'png', 7, null, { ad_model: 'hand.pt' }],
      },
    };
    const { generate } = await load({
      'p.yaml': `${oneSketch}generate: { a1111: { note: a.png, alwayson_scripts: ${JSON.stringify(scripts)} } }\nprompts: [{ text: a }]`,
    });
    expect(generate.a1111).toEqual({ note: 'a.png', alwayson_scripts: scripts });
  });

  it('that are not there are told, with their place', async () => {
    for (const yaml of [
      `generate: { a1111: ${controlNet('none.png')} }\nprompts: [{ text: a }]`,
      `prompts: [{ text: a, a1111: ${controlNet('none.png')} }]`,
      `prompts: [{ text: a, matrix: { a1111: [${controlNet('none.png')}] } }]`,
      `prompts: [{ text: a }]\nretry: { ladder: [{ adjust: { a1111: ${controlNet('none.png')} } }] }`,
    ])
      expect(await complaint({ ...poses, 'p.yaml': oneSketch + yaml })).toMatch(
        /p\.yaml:\d+:\d+.*\n?.*alwayson_scripts: there is no file none\.png/,
      );
  });

  it('of a row are pictures below the folder alone', async () => {
    const row = (image: string) =>
      JSON.stringify({ text: 'a', a1111: { alwayson_scripts: { c: { args: [{ image }] } } } });
    for (const [image, words] of [
      ['../out.png', /no such file|below/],
      ['/etc/ssl/secret.png', /no such file|below/],
      ['fake.png', /this is no picture/],
    ] as const) {
      const pipeline = await load({
        'fake.png': 'no picture',
        'rows.jsonl': row(image),
        'p.yaml': `${oneSketch}prompts: [{ file: rows.jsonl }]`,
      });
      expect(await messageOf(shotsOf(pipeline))).toMatch(words);
    }
  });
});
