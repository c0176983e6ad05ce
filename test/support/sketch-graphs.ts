/** Graphs in ComfyUI's API format that a sketch server can run. */

type Node = { class_type: string; inputs: Record<string, unknown>; _meta?: { title: string } };
export type TestGraph = Record<string, Node>;

/** The usual SD 1.5 graph: node 3 samples, node 9 saves. */
export function textToImage(seed: number | string, prefix: string, size = 64): TestGraph {
  return {
    '3': {
      class_type: 'KSampler',
      inputs: {
        seed,
        steps: 8,
        cfg: 7,
        sampler_name: 'euler',
        scheduler: 'normal',
        denoise: 1,
        model: ['4', 0],
        positive: ['6', 0],
        negative: ['7', 0],
        latent_image: ['5', 0],
      },
    },
    '4': { class_type: 'CheckpointLoaderSimple', inputs: { ckpt_name: 'sketch-hands-v1.safetensors' } },
    '5': { class_type: 'EmptyLatentImage', inputs: { width: size, height: size, batch_size: 1 } },
    '6': { class_type: 'CLIPTextEncode', inputs: { text: 'a hand', clip: ['4', 1] } },
    '7': { class_type: 'CLIPTextEncode', inputs: { text: 'extra fingers', clip: ['4', 1] } },
    '8': { class_type: 'VAEDecode', inputs: { samples: ['3', 0], vae: ['4', 2] } },
    '9': { class_type: 'SaveImage', inputs: { filename_prefix: prefix, images: ['8', 0] } },
  };
}

/** Flux: a guider, a noise node, sigmas, SamplerCustomAdvanced (13). */
export function flux(seed: number, prefix: string): TestGraph {
  return {
    '6': {
      class_type: 'CLIPTextEncodeFlux',
      inputs: { clip: ['11', 0], clip_l: 'a hand', t5xxl: 'a hand', guidance: 3.5 },
    },
    '8': { class_type: 'VAEDecode', inputs: { samples: ['13', 0], vae: ['10', 0] } },
    '9': { class_type: 'SaveImage', inputs: { filename_prefix: prefix, images: ['8', 0] } },
    '10': { class_type: 'VAELoader', inputs: { vae_name: 'sketch-ink.vae.safetensors' } },
    '11': {
      class_type: 'DualCLIPLoader',
      inputs: {
        clip_name1: 'sketch-t5xxl.safetensors',
        clip_name2: 'sketch-clip-l.safetensors',
        type: 'flux',
      },
    },
    '12': {
      class_type: 'UNETLoader',
      inputs: { unet_name: 'sketch-flux-hands.safetensors', weight_dtype: 'default' },
    },
    '13': {
      class_type: 'SamplerCustomAdvanced',
      inputs: {
        noise: ['25', 0],
        guider: ['22', 0],
        sampler: ['16', 0],
        sigmas: ['17', 0],
        latent_image: ['27', 0],
      },
    },
    '16': { class_type: 'KSamplerSelect', inputs: { sampler_name: 'euler' } },
    '17': {
      class_type: 'BasicScheduler',
      inputs: { scheduler: 'simple', steps: 4, denoise: 1, model: ['12', 0] },
    },
    '22': { class_type: 'BasicGuider', inputs: { model: ['12', 0], conditioning: ['6', 0] } },
    '25': { class_type: 'RandomNoise', inputs: { noise_seed: seed } },
    '27': { class_type: 'EmptySD3LatentImage', inputs: { width: 64, height: 64, batch_size: 1 } },
  };
}

/** Repaints a picture that the server has: `name` or `folder/name [output]`. */
export function repairGraph(image: string, seed: number, prefix: string): TestGraph {
  const graph = textToImage(seed, prefix);
  graph['3']!.inputs['latent_image'] = ['21', 0];
  graph['3']!.inputs['denoise'] = 0.5;
  delete graph['5'];
  return {
    ...graph,
    '20': { class_type: 'LoadImage', inputs: { image } },
    '21': { class_type: 'VAEEncode', inputs: { pixels: ['20', 0], vae: ['4', 2] } },
  };
}
