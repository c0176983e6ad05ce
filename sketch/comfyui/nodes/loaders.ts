import { modelNames } from './names.js';
import { float, type NodeTypes } from './type.js';

const weightTypes = ['default', 'fp8_e4m3fn', 'fp8_e4m3fn_fast', 'fp8_e5m2'];

/** Nodes that load models. `checkpoints` are the files that the server has. */
export function loaders(checkpoints: readonly string[]): NodeTypes {
  return {
    CheckpointLoaderSimple: {
      display: 'Load Checkpoint',
      category: 'loaders',
      required: { ckpt_name: [checkpoints, { tooltip: 'The name of the checkpoint (model) to load.' }] },
      output: ['MODEL', 'CLIP', 'VAE'],
      run: (inputs) => [
        { type: 'MODEL', checkpoint: inputs.text('ckpt_name') },
        { type: 'CLIP' },
        { type: 'VAE' },
      ],
    },
    UNETLoader: {
      display: 'Load Diffusion Model',
      category: 'advanced/loaders',
      required: {
        unet_name: [[...modelNames('diffusion_models'), ...checkpoints]],
        weight_dtype: [weightTypes],
      },
      output: ['MODEL'],
      run: (inputs) => [{ type: 'MODEL', checkpoint: inputs.text('unet_name') }],
    },
    CLIPLoader: {
      display: 'Load CLIP',
      category: 'advanced/loaders',
      required: {
        clip_name: [modelNames('text_encoders')],
        type: [['stable_diffusion', 'stable_cascade', 'sd3', 'stable_audio', 'flux', 'flux2', 'qwen_image']],
      },
      optional: { device: [['default', 'cpu'], { advanced: true }] },
      output: ['CLIP'],
      run: () => [{ type: 'CLIP' }],
    },
    DualCLIPLoader: {
      display: 'DualCLIPLoader',
      category: 'advanced/loaders',
      required: {
        clip_name1: [modelNames('text_encoders')],
        clip_name2: [modelNames('text_encoders')],
        type: [['sdxl', 'sd3', 'flux', 'hunyuan_video', 'hidream']],
      },
      optional: { device: [['default', 'cpu'], { advanced: true }] },
      output: ['CLIP'],
      run: () => [{ type: 'CLIP' }],
    },
    VAELoader: {
      display: 'Load VAE',
      category: 'loaders',
      required: { vae_name: [[...modelNames('vae'), 'pixel_space']] },
      output: ['VAE'],
      run: () => [{ type: 'VAE' }],
    },
    LoraLoader: {
      display: 'Load LoRA',
      category: 'loaders',
      required: {
        model: ['MODEL'],
        clip: ['CLIP'],
        lora_name: [modelNames('loras')],
        strength_model: float(1, -100, 100),
        strength_clip: float(1, -100, 100),
      },
      output: ['MODEL', 'CLIP'],
      run: (inputs) => [inputs.value('model', 'MODEL'), { type: 'CLIP' }],
    },
    LoraLoaderModelOnly: {
      display: 'LoraLoaderModelOnly',
      category: 'loaders',
      required: { model: ['MODEL'], lora_name: [modelNames('loras')], strength_model: float(1, -100, 100) },
      output: ['MODEL'],
      run: (inputs) => [inputs.value('model', 'MODEL')],
    },
    CLIPSetLastLayer: {
      display: 'CLIP Set Last Layer',
      category: 'conditioning',
      required: { clip: ['CLIP'], stop_at_clip_layer: ['INT', { default: -1, min: -24, max: -1, step: 1 }] },
      output: ['CLIP'],
      run: () => [{ type: 'CLIP' }],
    },
    ModelSamplingFlux: {
      display: 'ModelSamplingFlux',
      category: 'advanced/model',
      required: {
        model: ['MODEL'],
        max_shift: float(1.15, 0, 100),
        base_shift: float(0.5, 0, 100),
        width: ['INT', { default: 1024, min: 16, max: 16384, step: 8 }],
        height: ['INT', { default: 1024, min: 16, max: 16384, step: 8 }],
      },
      output: ['MODEL'],
      run: (inputs) => [inputs.value('model', 'MODEL')],
    },
    DifferentialDiffusion: {
      display: 'Differential Diffusion',
      category: '_for_testing',
      required: { model: ['MODEL'] },
      optional: { strength: float(1, 0, 1) },
      output: ['MODEL'],
      run: (inputs) => [inputs.value('model', 'MODEL')],
    },
  };
}
