import type { TestGraph } from './sketch-graphs.js';

/** Workflows in API format of the kinds that people export, each with the inputs that a prompt and a seed go to. */
export interface ApiWorkflow {
  graph: TestGraph;
  prompt: string[];
  seed: string[];
}

type Inputs = Record<string, unknown>;
const node = (class_type: string, inputs: Inputs) => ({ class_type, inputs });

const encode = (text: string, clip: [string, number] = ['4', 1]) => node('CLIPTextEncode', { text, clip });
const save = node('SaveImage', { filename_prefix: 'ComfyUI', images: ['8', 0] });
const checkpoint = (name: string) => node('CheckpointLoaderSimple', { ckpt_name: name });
const latent = (width: number, height: number, type = 'EmptyLatentImage') =>
  node(type, { width, height, batch_size: 1 });
const sampler = (inputs: Inputs = {}) =>
  node('KSampler', {
    seed: 156680208700286,
    steps: 20,
    cfg: 8,
    sampler_name: 'euler',
    scheduler: 'normal',
    denoise: 1,
    model: ['4', 0],
    positive: ['6', 0],
    negative: ['7', 0],
    latent_image: ['5', 0],
    ...inputs,
  });

/** Nodes 3 to 9 as in the template that ComfyUI opens with. */
function basic(size: [number, number], inputs: Inputs = {}, model = 'model.safetensors'): TestGraph {
  return {
    '3': sampler(inputs),
    '4': checkpoint(model),
    '5': latent(...size),
    '6': encode('a photo of a hand'),
    '7': encode('text, watermark'),
    '8': node('VAEDecode', { samples: ['3', 0], vae: ['4', 2] }),
    '9': save,
  };
}

const one = { prompt: ['6.text'], seed: ['3.seed'] };

/** A diffusion model with text encoder and VAE in files of their own. */
function parted(type: string, unet: string, inputs: Inputs, size: TestGraph[string]): TestGraph {
  return {
    '3': sampler({ model: ['12', 0], ...inputs }),
    '5': size,
    '6': encode('a photo of a hand', ['11', 0]),
    '7': encode('blurry', ['11', 0]),
    '8': node('VAEDecode', { samples: ['3', 0], vae: ['10', 0] }),
    '9': save,
    '10': node('VAELoader', { vae_name: 'ae.safetensors' }),
    '11': node('CLIPLoader', { clip_name: 'encoder.safetensors', type }),
    '12': node('UNETLoader', { unet_name: unet, weight_dtype: 'default' }),
  };
}

/** The nodes of a custom sampler; `guider` (22) and `sigmas` (17) differ. */
function custom(guider: TestGraph[string], sigmas: TestGraph[string]): TestGraph {
  return {
    '8': node('VAEDecode', { samples: ['13', 0], vae: ['10', 0] }),
    '9': save,
    '10': node('VAELoader', { vae_name: 'ae.safetensors' }),
    '11': node('DualCLIPLoader', {
      clip_name1: 't5xxl.safetensors',
      clip_name2: 'clip_l.safetensors',
      type: 'flux',
    }),
    '12': node('UNETLoader', { unet_name: 'flux1-dev.safetensors', weight_dtype: 'default' }),
    '13': node('SamplerCustomAdvanced', {
      noise: ['25', 0],
      guider: ['22', 0],
      sampler: ['16', 0],
      sigmas: ['17', 0],
      latent_image: ['27', 0],
    }),
    '16': node('KSamplerSelect', { sampler_name: 'euler' }),
    '17': sigmas,
    '22': guider,
    '25': node('RandomNoise', { noise_seed: 219670278747233 }),
  };
}

const basicSigmas = (inputs: Inputs = {}) =>
  node('BasicScheduler', { scheduler: 'simple', steps: 20, denoise: 1, model: ['12', 0], ...inputs });

const advanced = (inputs: Inputs) =>
  node('KSamplerAdvanced', {
    add_noise: 'enable',
    noise_seed: 721897303308196,
    steps: 25,
    cfg: 8,
    sampler_name: 'euler',
    scheduler: 'normal',
    start_at_step: 0,
    end_at_step: 20,
    return_with_leftover_noise: 'enable',
    ...inputs,
  });

export const apiWorkflows: { [name: string]: ApiWorkflow } = {
  'SD 1.5': { ...one, graph: basic([512, 512]) },

  'SD 1.5 with LoRA and clip skip': {
    ...one,
    graph: {
      ...basic([512, 768], {
        model: ['10', 0],
        steps: 28,
        cfg: 6.5,
        sampler_name: 'dpmpp_2m',
        scheduler: 'karras',
      }),
      '6': encode('a photo of a hand', ['11', 0]),
      '7': encode('bad hands', ['11', 0]),
      '10': node('LoraLoader', {
        lora_name: 'ink.safetensors',
        strength_model: 0.8,
        strength_clip: 0.8,
        model: ['4', 0],
        clip: ['4', 1],
      }),
      '11': node('CLIPSetLastLayer', { stop_at_clip_layer: -2, clip: ['10', 1] }),
    },
  },

  'image to image': {
    ...one,
    graph: {
      ...basic([512, 512], { denoise: 0.62, latent_image: ['21', 0] }),
      '20': node('LoadImage', { image: 'pose.png' }),
      '21': node('VAEEncode', { pixels: ['20', 0], vae: ['4', 2] }),
    },
  },

  'two samplers: a latent upscale and a second pass': {
    prompt: ['6.text'],
    seed: ['3.seed', '41.seed'],
    graph: {
      ...basic([512, 768]),
      '8': node('VAEDecode', { samples: ['41', 0], vae: ['4', 2] }),
      '40': node('LatentUpscale', {
        samples: ['3', 0],
        upscale_method: 'nearest-exact',
        width: 1024,
        height: 1536,
        crop: 'disabled',
      }),
      '41': sampler({ seed: 469771404043268, latent_image: ['40', 0], denoise: 0.5, steps: 14, cfg: 8 }),
    },
  },

  'ControlNet, its hint scaled to the size': {
    ...one,
    graph: {
      ...basic([640, 960], { positive: ['31', 0], negative: ['31', 1] }),
      '29': node('LoadImage', { image: 'pose.png' }),
      '30': node('ImageScale', {
        image: ['29', 0],
        upscale_method: 'area',
        width: 640,
        height: 960,
        crop: 'center',
      }),
      '31': node('ControlNetApplyAdvanced', {
        strength: 0.9,
        start_percent: 0,
        end_percent: 0.8,
        positive: ['6', 0],
        negative: ['7', 0],
        control_net: ['32', 0],
        image: ['30', 0],
      }),
      '32': node('ControlNetLoader', { control_net_name: 'openpose.safetensors' }),
    },
  },

  'a face detailer behind it': {
    prompt: ['6.text'],
    seed: ['3.seed', '50.seed'],
    graph: {
      ...basic([512, 768], { steps: 30, cfg: 5.5 }),
      '9': node('SaveImage', { filename_prefix: 'ComfyUI', images: ['50', 0] }),
      '50': node('FaceDetailer', {
        guide_size: 512,
        max_size: 1024,
        seed: 1,
        steps: 20,
        cfg: 8,
        sampler_name: 'euler',
        scheduler: 'normal',
        denoise: 0.4,
        image: ['8', 0],
        model: ['4', 0],
        clip: ['4', 1],
        vae: ['4', 2],
        positive: ['6', 0],
        negative: ['7', 0],
        bbox_detector: ['51', 0],
      }),
      '51': node('UltralyticsDetectorProvider', { model_name: 'bbox/hand_yolov8s.pt' }),
    },
  },

  'SDXL with refiner': {
    prompt: ['6.text_g', '6.text_l', '15.text'],
    seed: ['10.noise_seed', '11.noise_seed'],
    graph: {
      '4': checkpoint('sd_xl_base_1.0.safetensors'),
      '5': latent(1024, 1024),
      '6': node('CLIPTextEncodeSDXL', {
        width: 4096,
        height: 4096,
        crop_w: 0,
        crop_h: 0,
        target_width: 1024,
        target_height: 1024,
        text_g: 'a photo of a hand',
        text_l: 'a photo of a hand',
        clip: ['4', 1],
      }),
      '7': encode('text, watermark'),
      '8': node('VAEDecode', { samples: ['11', 0], vae: ['12', 2] }),
      '9': save,
      '10': advanced({ model: ['4', 0], positive: ['6', 0], negative: ['7', 0], latent_image: ['5', 0] }),
      '11': advanced({
        add_noise: 'disable',
        noise_seed: 0,
        start_at_step: 20,
        end_at_step: 10000,
        return_with_leftover_noise: 'disable',
        model: ['12', 0],
        positive: ['15', 0],
        negative: ['16', 0],
        latent_image: ['10', 0],
      }),
      '12': checkpoint('sd_xl_refiner_1.0.safetensors'),
      '15': encode('a photo of a hand', ['12', 1]),
      '16': encode('text, watermark', ['12', 1]),
    },
  },

  'SDXL Lightning': {
    ...one,
    graph: basic(
      [1024, 1024],
      { steps: 4, cfg: 1, scheduler: 'sgm_uniform' },
      'sdxl_lightning_4step.safetensors',
    ),
  },

  'SDXL Turbo': {
    prompt: ['6.text'],
    seed: ['13.noise_seed'],
    graph: {
      ...basic([512, 512]),
      '3': node('SDTurboScheduler', { steps: 1, denoise: 1, model: ['4', 0] }),
      '8': node('VAEDecode', { samples: ['13', 0], vae: ['4', 2] }),
      '13': node('SamplerCustom', {
        add_noise: true,
        noise_seed: 0,
        cfg: 1,
        model: ['4', 0],
        positive: ['6', 0],
        negative: ['7', 0],
        sampler: ['14', 0],
        sigmas: ['3', 0],
        latent_image: ['5', 0],
      }),
      '14': node('KSamplerSelect', { sampler_name: 'euler_ancestral' }),
    },
  },

  LCM: {
    ...one,
    graph: {
      ...basic([512, 512], {
        model: ['11', 0],
        steps: 6,
        cfg: 1.8,
        sampler_name: 'lcm',
        scheduler: 'sgm_uniform',
      }),
      '10': node('LoraLoaderModelOnly', { lora_name: 'lcm.safetensors', strength_model: 1, model: ['4', 0] }),
      '11': node('ModelSamplingDiscrete', { sampling: 'lcm', zsnr: false, model: ['10', 0] }),
    },
  },

  'Flux dev, its size in ModelSamplingFlux too': {
    prompt: ['6.text'],
    seed: ['25.noise_seed'],
    graph: {
      ...custom(
        node('BasicGuider', { model: ['30', 0], conditioning: ['26', 0] }),
        basicSigmas({ model: ['30', 0] }),
      ),
      '6': encode('a photo of a hand', ['11', 0]),
      '26': node('FluxGuidance', { guidance: 3.5, conditioning: ['6', 0] }),
      '27': latent(1024, 1024, 'EmptySD3LatentImage'),
      '30': node('ModelSamplingFlux', {
        max_shift: 1.15,
        base_shift: 0.5,
        width: 1024,
        height: 1024,
        model: ['12', 0],
      }),
    },
  },

  'Flux schnell as a checkpoint': {
    ...one,
    graph: {
      ...basic(
        [1024, 768],
        { steps: 4, cfg: 1, scheduler: 'simple', negative: ['33', 0] },
        'flux1-schnell-fp8.safetensors',
      ),
      '5': latent(1024, 768, 'EmptySD3LatentImage'),
      '7': node('CLIPTextEncode', { text: '', clip: ['4', 1] }),
      '33': node('ConditioningZeroOut', { conditioning: ['6', 0] }),
    },
  },

  'Flux with words for each encoder': {
    prompt: ['6.clip_l', '6.t5xxl'],
    seed: ['25.noise_seed'],
    graph: {
      ...custom(
        node('BasicGuider', { model: ['12', 0], conditioning: ['6', 0] }),
        basicSigmas({ steps: 8, scheduler: 'beta' }),
      ),
      '6': node('CLIPTextEncodeFlux', {
        clip_l: 'a photo of a hand',
        t5xxl: 'a photo of a hand',
        guidance: 4,
        clip: ['11', 0],
      }),
      '12': node('UnetLoaderGGUF', { unet_name: 'flux1-dev-Q4_K_S.gguf' }),
      '27': latent(896, 1152),
    },
  },

  'SD 3': {
    ...one,
    graph: {
      ...basic([1024, 1024], {
        steps: 28,
        cfg: 4.5,
        sampler_name: 'dpmpp_2m',
        scheduler: 'sgm_uniform',
        model: ['13', 0],
        negative: ['69', 0],
      }),
      '5': latent(1024, 1024, 'EmptySD3LatentImage'),
      '13': node('ModelSamplingSD3', { shift: 3, model: ['4', 0] }),
      '67': node('ConditioningZeroOut', { conditioning: ['7', 0] }),
      '68': node('ConditioningSetTimestepRange', { start: 0.1, end: 1, conditioning: ['67', 0] }),
      '69': node('ConditioningCombine', { conditioning_1: ['68', 0], conditioning_2: ['70', 0] }),
      '70': node('ConditioningSetTimestepRange', { start: 0, end: 0.1, conditioning: ['7', 0] }),
    },
  },

  HunyuanDiT: {
    prompt: ['6.bert', '6.mt5xl'],
    seed: ['3.seed'],
    graph: {
      ...basic([1024, 1024], { steps: 30, cfg: 6 }, 'hunyuan_dit_1.2.safetensors'),
      '6': node('CLIPTextEncodeHunyuanDiT', {
        bert: 'a photo of a hand',
        mt5xl: 'a photo of a hand',
        clip: ['4', 1],
      }),
    },
  },

  'Hunyuan image': {
    ...one,
    graph: {
      ...parted(
        'hunyuan_image',
        'hunyuanimage2.1.safetensors',
        { steps: 20, cfg: 3.5, scheduler: 'simple', model: ['14', 0] },
        latent(2048, 2048, 'EmptyHunyuanImageLatent'),
      ),
      '14': node('ModelSamplingSD3', { shift: 5, model: ['12', 0] }),
    },
  },

  'Qwen image': {
    ...one,
    graph: {
      ...parted(
        'qwen_image',
        'qwen_image_fp8.safetensors',
        { steps: 20, cfg: 2.5, scheduler: 'simple', model: ['66', 0] },
        latent(1328, 1328, 'EmptySD3LatentImage'),
      ),
      '66': node('ModelSamplingAuraFlow', { shift: 3.1, model: ['12', 0] }),
    },
  },

  'Z-Image Turbo': {
    ...one,
    graph: {
      ...parted(
        'lumina2',
        'z_image_turbo.safetensors',
        { steps: 9, cfg: 1, sampler_name: 'res_multistep', scheduler: 'simple', negative: ['33', 0] },
        latent(1024, 1024, 'EmptySD3LatentImage'),
      ),
      '33': node('ConditioningZeroOut', { conditioning: ['6', 0] }),
    },
  },

  'several size nodes, numbers in boxes of their own, sigmas that are split': {
    prompt: ['6.text'],
    seed: ['25.noise_seed', '35.noise_seed'],
    graph: {
      ...custom(
        node('CFGGuider', { cfg: 3, model: ['30', 0], positive: ['6', 0], negative: ['7', 0] }),
        basicSigmas({ steps: ['50', 0], model: ['30', 0] }),
      ),
      '6': encode('a photo of a hand', ['11', 0]),
      '7': encode('blurry', ['11', 0]),
      '8': node('VAEDecode', { samples: ['34', 0], vae: ['10', 0] }),
      '13': node('SamplerCustomAdvanced', {
        noise: ['25', 0],
        guider: ['22', 0],
        sampler: ['16', 0],
        sigmas: ['31', 0],
        latent_image: ['27', 0],
      }),
      '27': latent(1216, 832, 'EmptySD3LatentImage'),
      '28': latent(1216, 832),
      '29': node('LatentBlend', { samples1: ['13', 0], samples2: ['28', 0], blend_factor: 0.9 }),
      '30': node('ModelSamplingFlux', {
        max_shift: 1.15,
        base_shift: 0.5,
        width: ['51', 0],
        height: ['52', 0],
        model: ['12', 0],
      }),
      '31': node('SplitSigmas', { step: 12, sigmas: ['17', 0] }),
      '34': node('SamplerCustomAdvanced', {
        noise: ['35', 0],
        guider: ['22', 0],
        sampler: ['16', 0],
        sigmas: ['31', 1],
        latent_image: ['29', 0],
      }),
      '35': node('RandomNoise', { noise_seed: 5 }),
      '50': node('PrimitiveInt', { value: 24 }),
      '51': node('PrimitiveInt', { value: 1216 }),
      '52': node('PrimitiveInt', { value: 832 }),
    },
  },

  'an efficient loader': {
    prompt: ['1.positive'],
    seed: ['2.seed'],
    graph: {
      '1': node('Efficient Loader', {
        ckpt_name: 'model.safetensors',
        vae_name: 'Baked VAE',
        clip_skip: -2,
        lora_name: 'None',
        positive: 'a photo of a hand',
        negative: 'blurry',
        empty_latent_width: 768,
        empty_latent_height: 1024,
        batch_size: 1,
      }),
      '2': node('KSampler (Efficient)', {
        seed: 1,
        steps: 22,
        cfg: 5,
        sampler_name: 'dpmpp_2m_sde',
        scheduler: 'karras',
        denoise: 1,
        model: ['1', 0],
        positive: ['1', 1],
        negative: ['1', 2],
        latent_image: ['1', 3],
        optional_vae: ['1', 4],
      }),
      '9': node('SaveImage', { filename_prefix: 'ComfyUI', images: ['2', 5] }),
    },
  },
};
