import { sizeOf } from '../../pictures.js';
import type { Inputs, Latent, Value } from '../values.js';
import { float, int, side, type NodeType, type NodeTypes } from './type.js';

const emptyLatent = (display: string, category: string, fallback: number): NodeType => ({
  display,
  category,
  required: { width: side(fallback), height: side(fallback), batch_size: int(1, 1, 4096) },
  output: ['LATENT'],
  run: (inputs) => [
    {
      type: 'LATENT',
      width: wholeLatents(inputs.number('width')),
      height: wholeLatents(inputs.number('height')),
      batch: inputs.number('batch_size'),
      sampled: false,
    },
  ],
});

const scaleMethods = ['nearest-exact', 'bilinear', 'area', 'bicubic', 'bislerp'];

/** Nodes between pixels and latents. A latent keeps its picture, so decoding gives it back. */
export const latent: NodeTypes = {
  EmptyLatentImage: emptyLatent('Empty Latent Image', 'latent', 512),
  EmptySD3LatentImage: emptyLatent('EmptySD3LatentImage', 'latent/sd3', 1024),
  VAEDecode: {
    display: 'VAE Decode',
    category: 'latent',
    required: { samples: ['LATENT'], vae: ['VAE'] },
    output: ['IMAGE'],
    run: (inputs) => [{ type: 'IMAGE', pictures: inputs.value('samples', 'LATENT').pictures ?? [] }],
  },
  VAEEncode: {
    display: 'VAE Encode',
    category: 'latent',
    required: { pixels: ['IMAGE'], vae: ['VAE'] },
    output: ['LATENT'],
    run: (inputs) => [encode(inputs)],
  },
  VAEEncodeForInpaint: {
    display: 'VAE Encode (for Inpainting)',
    category: 'latent/inpaint',
    required: { pixels: ['IMAGE'], vae: ['VAE'], mask: ['MASK'], grow_mask_by: int(6, 0, 64) },
    output: ['LATENT'],
    run: (inputs) => [encode(inputs)],
  },
  SetLatentNoiseMask: {
    display: 'Set Latent Noise Mask',
    category: 'latent/inpaint',
    required: { samples: ['LATENT'], mask: ['MASK'] },
    output: ['LATENT'],
    run: (inputs) => [inputs.value('samples', 'LATENT')],
  },
  LatentUpscale: {
    display: 'Upscale Latent',
    category: 'latent',
    required: {
      samples: ['LATENT'],
      upscale_method: [scaleMethods],
      width: int(512, 0, 16384),
      height: int(512, 0, 16384),
      crop: [['disabled', 'center']],
    },
    output: ['LATENT'],
    run: (inputs) => [scaled(inputs, inputs.number('width'), inputs.number('height'))],
  },
  LatentUpscaleBy: {
    display: 'Upscale Latent By',
    category: 'latent',
    required: { samples: ['LATENT'], upscale_method: [scaleMethods], scale_by: float(1.5, 0.01, 8) },
    output: ['LATENT'],
    run: (inputs) => {
      const { width, height } = inputs.value('samples', 'LATENT');
      const by = inputs.number('scale_by');
      return [scaled(inputs, width * by, height * by)];
    },
  },
};

/** The size of an encoded picture is known only when it is drawn: 0 until then, and nobody asks. */
function encode(inputs: Inputs): Latent {
  const { pictures } = inputs.value('pixels', 'IMAGE');
  return { type: 'LATENT', width: 0, height: 0, batch: pictures.length, pictures, sampled: false };
}

function scaled(inputs: Inputs, width: number, height: number): Value {
  return { ...inputs.value('samples', 'LATENT'), width: wholeLatents(width), height: wholeLatents(height) };
}

const wholeLatents = (pixels: number): number => Math.max(8, Math.floor(pixels / 8) * 8);

/** The size of a latent, or of the picture that it is of. */
export async function latentSize(
  given: Latent,
  picture: Buffer | undefined,
): Promise<{ width: number; height: number }> {
  if (given.width > 0 || picture === undefined) return { width: given.width, height: given.height };
  return sizeOf(picture);
}
