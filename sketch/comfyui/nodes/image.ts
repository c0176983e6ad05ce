import sharp from 'sharp';
import { readTruth } from '../../png.js';
import { sizeOf } from '../../pictures.js';
import { annotated } from '../files.js';
import type { Inputs, Picture, Value } from '../values.js';
import { float, int, type InputSpec, type NodeTypes, type Workshop } from './type.js';

const scaleMethods: InputSpec = [['nearest-exact', 'bilinear', 'area', 'bicubic', 'lanczos']];

/** Nodes that load, change and save images. `inputFiles` are the names that LoadImage offers. */
export function image(inputFiles: readonly string[]): NodeTypes {
  return {
    LoadImage: {
      display: 'Load Image',
      category: 'image',
      required: { image: [inputFiles, { image_upload: true }] },
      output: ['IMAGE', 'MASK'],
      run: (inputs, workshop) => [
        { type: 'IMAGE', pictures: [Promise.resolve(load(inputs, workshop))] },
        { type: 'MASK' },
      ],
      refuses: missingFile,
      fingerprint: (inputs, { files }) => files.hash(...annotated(inputs.text('image'))),
    },
    LoadImageMask: {
      display: 'Load Image (as Mask)',
      category: 'mask',
      required: { image: [inputFiles, { image_upload: true }], channel: [['alpha', 'red', 'green', 'blue']] },
      output: ['MASK'],
      run: () => [{ type: 'MASK' }],
      refuses: missingFile,
      fingerprint: (inputs, { files }) => files.hash(...annotated(inputs.text('image'))),
    },
    EmptyImage: {
      display: 'EmptyImage',
      category: 'image',
      required: {
        width: int(512, 1, 16384),
        height: int(512, 1, 16384),
        batch_size: int(1, 1, 4096),
        color: int(0, 0, 0xffffff, { step: 1, display: 'color' }),
      },
      output: ['IMAGE'],
      run: (inputs) => [
        { type: 'IMAGE', pictures: Array.from({ length: inputs.number('batch_size') }, () => flat(inputs)) },
      ],
    },
    ImageScale: {
      display: 'Upscale Image',
      category: 'image/upscaling',
      required: {
        image: ['IMAGE'],
        upscale_method: scaleMethods,
        width: int(512, 0, 16384),
        height: int(512, 0, 16384),
        crop: [['disabled', 'center']],
      },
      output: ['IMAGE'],
      run: (inputs) => [resized(inputs, () => [inputs.number('width'), inputs.number('height')])],
    },
    ImageScaleBy: {
      display: 'Upscale Image By',
      category: 'image/upscaling',
      required: { image: ['IMAGE'], upscale_method: scaleMethods, scale_by: float(1, 0.01, 8) },
      output: ['IMAGE'],
      run: (inputs) => [
        resized(inputs, (width, height) => [width, height].map((each) => each * inputs.number('scale_by'))),
      ],
    },
    ImageCompositeMasked: {
      display: 'ImageCompositeMasked',
      category: 'image',
      required: {
        destination: ['IMAGE'],
        source: ['IMAGE'],
        x: int(0, 0, 16384),
        y: int(0, 0, 16384),
        resize_source: ['BOOLEAN', { default: false }],
      },
      optional: { mask: ['MASK'] },
      output: ['IMAGE'],
      // The source is the same scene repainted, so nothing of the destination is missed.
      run: (inputs) => [inputs.value('source', 'IMAGE')],
    },
    GrowMask: {
      display: 'GrowMask',
      category: 'mask',
      required: {
        mask: ['MASK'],
        expand: ['INT', { default: 0, min: -16384, max: 16384 }],
        tapered_corners: ['BOOLEAN', { default: true }],
      },
      output: ['MASK'],
      run: () => [{ type: 'MASK' }],
    },
    FeatherMask: {
      display: 'FeatherMask',
      category: 'mask',
      required: {
        mask: ['MASK'],
        left: int(0, 0, 16384),
        top: int(0, 0, 16384),
        right: int(0, 0, 16384),
        bottom: int(0, 0, 16384),
      },
      output: ['MASK'],
      run: () => [{ type: 'MASK' }],
    },
    InvertMask: {
      display: 'InvertMask',
      category: 'mask',
      required: { mask: ['MASK'] },
      output: ['MASK'],
      run: () => [{ type: 'MASK' }],
    },
    SaveImage: {
      display: 'Save Image',
      category: 'image',
      required: { images: ['IMAGE'], filename_prefix: ['STRING', { default: 'ComfyUI' }] },
      output: [],
      saves: 'output',
      run: () => [],
    },
    PreviewImage: {
      display: 'Preview Image',
      category: 'image',
      required: { images: ['IMAGE'] },
      output: [],
      saves: 'temp',
      run: () => [],
    },
  };
}

function missingFile(inputs: Inputs, { files }: Workshop): readonly [string, string] | undefined {
  const name = inputs.text('image');
  return files.read(...annotated(name)) === undefined ? ['image', `Invalid image file: ${name}`] : undefined;
}

function load(inputs: Inputs, { files }: Workshop): Picture {
  const name = inputs.text('image');
  const pixels = files.read(...annotated(name));
  if (pixels === undefined) throw new Error(`[Errno 2] No such file or directory: '${name}'`);
  const sketch = readTruth(pixels);
  return sketch === undefined ? { pixels } : { pixels, sketch };
}

async function flat(inputs: Inputs): Promise<Picture> {
  const background = `#${inputs.number('color').toString(16).padStart(6, '0')}`;
  const [width, height] = [inputs.number('width'), inputs.number('height')];
  return {
    pixels: await sharp({ create: { width, height, channels: 3, background } })
      .png()
      .toBuffer(),
  };
}

function resized(inputs: Inputs, size: (width: number, height: number) => number[]): Value {
  const resize = async (given: Promise<Picture>): Promise<Picture> => {
    const picture = await given;
    const old = await sizeOf(picture.pixels);
    const [width = 0, height = 0] = size(old.width, old.height).map(Math.round);
    // ComfyUI keeps the proportions where one side is 0.
    const resizer = sharp(picture.pixels).resize(width || null, height || null, { fit: 'fill' });
    return { ...picture, pixels: await resizer.png().toBuffer() };
  };
  return { type: 'IMAGE', pictures: inputs.value('image', 'IMAGE').pictures.map(resize) };
}
