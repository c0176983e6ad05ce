import sharp from 'sharp';
import type { DrawRequest } from '../../drawing/index.js';
import { drawn, repairPicture, type Drawn } from '../../repair.js';
import type { Inputs, Latent, Picture } from '../values.js';
import { latentSize } from './latent.js';
import { samplerNames, schedulerNames } from './names.js';
import { float, int, seed, type NodeTypes, type Sampling, type Workshop } from './type.js';

const steps = int(20, 1, 10000);
const cfg = float(8, 0, 100, 0.1);

/** Nodes that sample: each image of a batch takes the server's latency. */
export const sampling: NodeTypes = {
  KSampler: {
    display: 'KSampler',
    category: 'sampling',
    required: {
      model: ['MODEL'],
      seed,
      steps,
      cfg,
      sampler_name: [samplerNames],
      scheduler: [schedulerNames],
      positive: ['CONDITIONING'],
      negative: ['CONDITIONING'],
      latent_image: ['LATENT'],
      denoise: float(1, 0, 1),
    },
    output: ['LATENT'],
    samples,
    run: (inputs, workshop) => [
      sample(workshop, { ...ksampler(inputs), seed: inputs.seed('seed'), denoise: inputs.number('denoise') }),
    ],
  },
  KSamplerAdvanced: {
    display: 'KSampler (Advanced)',
    category: 'sampling',
    required: {
      model: ['MODEL'],
      add_noise: [['enable', 'disable']],
      noise_seed: seed,
      steps,
      cfg,
      sampler_name: [samplerNames],
      scheduler: [schedulerNames],
      positive: ['CONDITIONING'],
      negative: ['CONDITIONING'],
      latent_image: ['LATENT'],
      start_at_step: int(0, 0, 10000),
      end_at_step: int(10000, 0, 10000),
      return_with_leftover_noise: [['disable', 'enable']],
    },
    output: ['LATENT'],
    samples,
    run: (inputs, workshop) => {
      const denoise = 1 - inputs.number('start_at_step') / inputs.number('steps');
      return [sample(workshop, { ...ksampler(inputs), seed: inputs.seed('noise_seed'), denoise })];
    },
  },
  SamplerCustomAdvanced: {
    display: 'SamplerCustomAdvanced',
    category: 'sampling/custom_sampling',
    required: {
      noise: ['NOISE'],
      guider: ['GUIDER'],
      sampler: ['SAMPLER'],
      sigmas: ['SIGMAS'],
      latent_image: ['LATENT'],
    },
    output: ['LATENT', 'LATENT'],
    outputNames: ['output', 'denoised_output'],
    samples: (inputs) => ({
      checkpoint: inputs.value('guider', 'GUIDER').checkpoint,
      steps: inputs.value('sigmas', 'SIGMAS').steps,
      images: inputs.value('latent_image', 'LATENT').batch,
    }),
    run: (inputs, workshop) => {
      const made = sample(workshop, {
        ...inputs.value('guider', 'GUIDER'),
        ...inputs.value('sigmas', 'SIGMAS'),
        seed: inputs.value('noise', 'NOISE').seed,
        latent: inputs.value('latent_image', 'LATENT'),
      });
      return [made, made];
    },
  },
  RandomNoise: {
    display: 'RandomNoise',
    category: 'sampling/custom_sampling/noise',
    required: { noise_seed: seed },
    output: ['NOISE'],
    run: (inputs) => [{ type: 'NOISE', seed: inputs.seed('noise_seed') }],
  },
  CFGGuider: {
    display: 'CFGGuider',
    category: 'sampling/custom_sampling/guiders',
    required: { model: ['MODEL'], positive: ['CONDITIONING'], negative: ['CONDITIONING'], cfg },
    output: ['GUIDER'],
    run: (inputs) => [
      {
        type: 'GUIDER',
        checkpoint: inputs.value('model', 'MODEL').checkpoint,
        positive: inputs.value('positive', 'CONDITIONING').text,
        negative: inputs.value('negative', 'CONDITIONING').text,
        cfg: inputs.number('cfg'),
      },
    ],
  },
  BasicGuider: {
    display: 'BasicGuider',
    category: 'sampling/custom_sampling/guiders',
    required: { model: ['MODEL'], conditioning: ['CONDITIONING'] },
    output: ['GUIDER'],
    run: (inputs) => {
      const { text, guidance } = inputs.value('conditioning', 'CONDITIONING');
      const { checkpoint } = inputs.value('model', 'MODEL');
      return [{ type: 'GUIDER', checkpoint, positive: text, negative: '', cfg: guidance ?? 1 }];
    },
  },
  BasicScheduler: {
    display: 'BasicScheduler',
    category: 'sampling/custom_sampling/schedulers',
    required: { model: ['MODEL'], scheduler: [schedulerNames], steps, denoise: float(1, 0, 1) },
    output: ['SIGMAS'],
    run: (inputs) => [{ type: 'SIGMAS', steps: inputs.number('steps'), denoise: inputs.number('denoise') }],
  },
  KSamplerSelect: {
    display: 'KSamplerSelect',
    category: 'sampling/custom_sampling/samplers',
    required: { sampler_name: [samplerNames] },
    output: ['SAMPLER'],
    run: () => [{ type: 'SAMPLER' }],
  },
};

interface Spec {
  checkpoint: string;
  positive: string;
  negative: string;
  seed: number;
  steps: number;
  cfg: number;
  denoise: number;
  latent: Latent;
}

function samples(inputs: Inputs): Sampling {
  return {
    checkpoint: inputs.value('model', 'MODEL').checkpoint,
    steps: inputs.number('steps'),
    images: inputs.value('latent_image', 'LATENT').batch,
  };
}

function ksampler(inputs: Inputs): Omit<Spec, 'seed' | 'denoise'> {
  return {
    checkpoint: inputs.value('model', 'MODEL').checkpoint,
    positive: inputs.value('positive', 'CONDITIONING').text,
    negative: inputs.value('negative', 'CONDITIONING').text,
    steps: inputs.number('steps'),
    cfg: inputs.number('cfg'),
    latent: inputs.value('latent_image', 'LATENT'),
  };
}

/** A latent with every image of the batch drawn, repaired, or refined. */
function sample(workshop: Workshop, spec: Spec): Latent {
  const { latent } = spec;
  const pictures = Array.from({ length: latent.batch }, (_, index) => samplePicture(workshop, spec, index));
  // A prompt may be deleted before anybody waits for its pictures.
  for (const picture of pictures) picture.catch(() => undefined);
  return { ...latent, pictures, sampled: true };
}

async function samplePicture(workshop: Workshop, spec: Spec, index: number): Promise<Picture> {
  const { latent, denoise } = spec;
  const given = await latent.pictures?.[index];
  const size = await latentSize(latent, given?.pixels);
  if (given !== undefined && latent.sampled && denoise < 1) {
    const pixels = await sharp(given.pixels)
      .resize(size.width, size.height, { fit: 'fill' })
      .png()
      .toBuffer();
    return { ...given, pixels };
  }
  const request: DrawRequest = {
    prompt: spec.positive,
    negative_prompt: spec.negative,
    // The images of a batch share one seed and differ all the same; image i is not the one of seed + i.
    seed: index === 0 ? spec.seed : (spec.seed ^ Math.imul(index, 0x9e3779b1)) >>> 0,
    steps: spec.steps,
    cfg_scale: spec.cfg,
    ...size,
    badRate: workshop.badRate,
    checkpoint: spec.checkpoint,
  };
  return asPicture(
    given !== undefined && denoise < 1
      ? await repairPicture(workshop.draw, given.pixels, given.sketch, request)
      : await drawn(workshop.draw, request),
    spec.seed,
  );
}

function asPicture({ drawing, request }: Drawn, usedSeed: number): Picture {
  const sketch = { truth: drawing.truth, prompt: request.prompt, seed: usedSeed, request };
  return { pixels: drawing.pixels, sketch };
}
