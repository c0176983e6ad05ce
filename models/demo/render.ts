import { mkdir, open } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';
import { plan, toSvg, transform } from '../../sketch/drawing/svg.js';
import { sketchTruth, type DrawRequest } from '../../sketch/drawing/truth.js';

/**
 * Draws training data: `render FOLDER FIRST_SEED COUNT`. Writes FOLDER/FIRST_SEED.rgb (COUNT pictures of
 * 120 x 120 x 3 bytes) and FOLDER/FIRST_SEED.jsonl (a line per picture: label, and where its marks are).
 * Seeds stay below 2^31: those above are bench/demo-model.ts's, so that it measures on unseen drawings.
 */
const side = 120;
const labels = [
  'Realistic_Bad_Anatomy',
  'Realistic_Good_Anatomy',
  'Unrealistic_Bad_Anatomy',
  'Unrealistic_Good_Anatomy',
];
const sizes = [
  [512, 512],
  [512, 768],
  [768, 512],
  [512, 640],
  [640, 512],
  [128, 128],
] as const;
const subjects = ['a hand', 'a woman waving', 'a pianist', 'a raised palm', 'an old man greeting', 'a dancer'];
const looks = ['', ', photo', ', film still', ', anime', ', glossy 3d render'];

const [folder = '', first = '0', count = '0'] = process.argv.slice(2);
sharp.concurrency(1);
await mkdir(folder, { recursive: true });
const pictures = await open(path.join(folder, `${first}.rgb`), 'w');
const lines = await open(path.join(folder, `${first}.jsonl`), 'w');

for (let seed = Number(first); seed < Number(first) + Number(count); seed++) {
  const [width, height] = sizes[seed % sizes.length] ?? sizes[0];
  const request: DrawRequest = {
    prompt: `${subjects[seed % 5] ?? ''}${looks[seed % 7] ?? ''}`,
    negative_prompt: '',
    seed,
    steps: 20,
    width,
    height,
    badRate: 0.5,
  };
  await pictures.write(await squeeze(request));
  await lines.write(`${JSON.stringify(marks(request))}\n`);
}
await pictures.close();
await lines.close();

/** The picture as the classifier gets it. Every third one is sampled coarsely, as some bilinear resizers do. */
async function squeeze(request: DrawRequest): Promise<Buffer> {
  const { width, height, seed } = request;
  const coarse = seed % 3 === 0;
  const shrink = Math.min(1, (coarse ? 320 : 200) / Math.min(width, height));
  const drawn = await sharp(Buffer.from(toSvg(request, shrink)))
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  const { width: w, height: h } = drawn.info;
  const sampled = coarse
    ? await sharp(drawn.data, { raw: drawn.info })
        .affine([side / w, 0, 0, side / h], { interpolator: 'bilinear' })
        .raw()
        .toBuffer({ resolveWithObject: true })
    : drawn;
  return sharp(sampled.data, { raw: sampled.info })
    .resize(side, side, { fit: 'fill', kernel: 'linear' })
    .raw()
    .toBuffer();
}

/** The label, the defect, and what a classifier must find to tell: tips, webs and forks, 0 to 1 in the picture. */
function marks(request: DrawRequest) {
  const { hand, placement } = plan(request);
  const { label, defect } = sketchTruth(request);
  const share = (point: { x: number; y: number }) => {
    const { x, y } = transform(point, placement);
    return [Number((x / request.width).toFixed(4)), Number((y / request.height).toFixed(4))];
  };
  const web = hand.web ?? [];
  const [a, b, c, d] = web;
  const middle =
    a && b && c && d
      ? [0.3, 0.55, 0.8].map((t) => ({
          x: ((1 - t) * (a.x + d.x) + t * (b.x + c.x)) / 2,
          y: ((1 - t) * (a.y + d.y) + t * (b.y + c.y)) / 2,
        }))
      : [];
  return {
    label: labels.indexOf(label),
    defect: defect ?? null,
    fingers: hand.digits.filter(({ thumb }) => !thumb).map(({ tip }) => share(tip)),
    thumbs: hand.digits.filter(({ thumb }) => thumb).map(({ tip }) => share(tip)),
    webs: middle.map(share),
    forks: hand.digits.flatMap(({ fork }) => (fork ? [share(fork)] : [])),
  };
}
