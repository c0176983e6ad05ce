import { describe, expect, it } from 'vitest';
import { flux, repairGraph, textToImage, type TestGraph } from '../support/sketch-graphs.js';
import { bound, changed, read, refusal, rewired } from '../support/workflows.js';

const t2i = textToImage(1, 'x');

/** A node without a title. */
const node = (class_type: string, inputs: Record<string, unknown>): TestGraph[string] => ({
  class_type,
  inputs,
});
const says = (text: string) => node('CLIPTextEncode', { text, clip: ['4', 1] });

describe('bindings are found', () => {
  it('in the usual graph', () => {
    expect(bound(t2i)).toEqual({
      prompt: '6.text',
      negative_prompt: '7.text',
      seed: '3.seed',
      steps: '3.steps',
      cfg_scale: '3.cfg',
      sampler: '3.sampler_name',
      scheduler: '3.scheduler',
      checkpoint: '4.ckpt_name',
      width: '5.width',
      height: '5.height',
      batch_size: '5.batch_size',
      filename_prefix: '9.filename_prefix',
    });
  });

  it('through Flux: guider, noise, sigmas, two texts in one encoder', () => {
    expect(bound(flux(1, 'x'))).toEqual({
      prompt: '6.clip_l, 6.t5xxl',
      seed: '25.noise_seed',
      steps: '17.steps',
      sampler: '16.sampler_name',
      scheduler: '17.scheduler',
      checkpoint: '12.unet_name',
      vae: '10.vae_name',
      width: '27.width',
      height: '27.height',
      batch_size: '27.batch_size',
      filename_prefix: '9.filename_prefix',
    });
  });

  it('through CFGGuider, with its cfg and both prompts', () => {
    const graph = changed(flux(1, 'x'), {
      '22': {
        class_type: 'CFGGuider',
        inputs: { model: ['12', 0], positive: ['6', 0], negative: ['7', 0], cfg: 3 },
      },
      '7': { class_type: 'CLIPTextEncode', inputs: { clip: ['11', 0], text: 'bad' } },
    });
    expect(bound(graph)).toMatchObject({
      prompt: '6.clip_l, 6.t5xxl',
      negative_prompt: '7.text',
      cfg_scale: '22.cfg',
    });
  });

  it('through conditioning that is only changed: ControlNet hands both prompts on in order', () => {
    const graph = changed(t2i, {
      '3': { ...t2i['3']!, inputs: { ...t2i['3']!.inputs, positive: ['30', 0], negative: ['30', 1] } },
      '30': {
        class_type: 'ControlNetApplyAdvanced',
        inputs: { positive: ['31', 0], negative: ['7', 0], strength: 1 },
      },
      '31': { class_type: 'ConditioningSetArea', inputs: { conditioning: ['6', 0], width: 64, height: 64 } },
    });
    expect(bound(graph)).toMatchObject({ prompt: '6.text', negative_prompt: '7.text', width: '5.width' });
  });

  it('not for a negative prompt whose words are thrown away', () => {
    const graph = changed(t2i, {
      '7': { class_type: 'ConditioningZeroOut', inputs: { conditioning: ['6', 0] } },
    });
    expect(bound(graph)).not.toHaveProperty('negative_prompt');
  });

  it('in SDXL encoders, LoRA chains, clip skip and a VAE of its own', () => {
    const graph = changed(t2i, {
      '3': { ...t2i['3']!, inputs: { ...t2i['3']!.inputs, model: ['20', 0] } },
      '6': {
        class_type: 'CLIPTextEncodeSDXL',
        inputs: { clip: ['21', 0], width: 1024, height: 1024, text_g: 'a', text_l: 'a' },
      },
      '8': { class_type: 'VAEDecode', inputs: { samples: ['3', 0], vae: ['22', 0] } },
      '20': { class_type: 'LoraLoader', inputs: { model: ['4', 0], clip: ['4', 1], lora_name: 'l' } },
      '21': { class_type: 'CLIPSetLastLayer', inputs: { clip: ['20', 1], stop_at_clip_layer: -1 } },
      '22': { class_type: 'VAELoader', inputs: { vae_name: 'v' } },
    });
    expect(bound(graph)).toMatchObject({
      prompt: '6.text_g, 6.text_l',
      checkpoint: '4.ckpt_name',
      clip_skip: '21.stop_at_clip_layer',
      vae: '22.vae_name',
      width: '5.width',
    });
  });

  it('of two passes: both seeds, and the settings and texts that say the same', () => {
    const graph = changed(t2i, {
      '8': { class_type: 'VAEDecode', inputs: { samples: ['41', 0], vae: ['4', 2] } },
      '40': {
        class_type: 'LatentUpscaleBy',
        inputs: { samples: ['3', 0], upscale_method: 'area', scale_by: 2 },
      },
      '41': {
        ...t2i['3']!,
        inputs: {
          ...t2i['3']!.inputs,
          latent_image: ['40', 0],
          positive: ['42', 0],
          negative: ['43', 0],
          denoise: 0.5,
        },
      },
      '42': { class_type: 'CLIPTextEncode', inputs: { text: 'a hand', clip: ['4', 1] } },
      '43': { class_type: 'CLIPTextEncode', inputs: { text: 'its own', clip: ['4', 1] } },
    });
    const found = bound(graph);
    expect(found).toMatchObject({
      prompt: '6.text, 42.text',
      negative_prompt: '7.text',
      steps: '3.steps, 41.steps',
      width: '5.width',
    });
    expect(found['seed']?.split(', ').sort()).toEqual(['3.seed', '41.seed']);
  });

  it('where a value is written: in the primitive or text box that an input is linked to', () => {
    const graph = changed(t2i, {
      '3': { ...t2i['3']!, inputs: { ...t2i['3']!.inputs, seed: ['50', 0] } },
      '6': { class_type: 'CLIPTextEncode', inputs: { text: ['51', 0], clip: ['4', 1] } },
      '50': { class_type: 'PrimitiveInt', inputs: { value: 5 } },
      '51': { class_type: 'PrimitiveStringMultiline', inputs: { value: 'a hand' } },
    });
    expect(bound(graph)).toMatchObject({ seed: '50.value', prompt: '51.value' });
  });

  it('of a picture to start from, and then how much of it is denoised', () => {
    expect(bound(repairGraph('a.png', 1, 'x'))).toMatchObject({
      init_image: '20.image',
      denoising_strength: '3.denoise',
    });
    expect(bound(t2i)).not.toHaveProperty('denoising_strength');
  });

  it('survives a circle of nodes', () => {
    const graph = changed(t2i, {
      '4': { class_type: 'A', inputs: { model: ['4', 0], clip: ['4', 1] } },
    });
    expect(bound(graph)).toMatchObject({ prompt: '6.text' });
  });
});

describe('the prompt is found', () => {
  it('on its own side, whichever outputs a node hands the two sides on by', () => {
    const inputs = { model: ['4', 0], positive: ['6', 0], negative: ['7', 0], image: ['31', 0] };
    const graph = changed(rewired(t2i, '3', { model: ['30', 0], positive: ['30', 1], negative: ['30', 2] }), {
      '30': node('ApplyInstantID', inputs),
      '31': node('LoadImage', { image: 'a.png' }),
    });
    expect(bound(graph)).toMatchObject({ prompt: '6.text', negative_prompt: '7.text' });
  });

  it('in a loader that encodes it, beside its checkpoint, size and clip skip', () => {
    const loader = {
      ckpt_name: 'sketch-hands-v1.safetensors',
      clip_skip: -2,
      positive: 'a hand',
      negative: ['51', 0],
      empty_latent_width: 512,
      empty_latent_height: 640,
      batch_size: 1,
    };
    const graph = changed(
      rewired(t2i, '3', {
        model: ['50', 0],
        positive: ['50', 1],
        negative: ['50', 2],
        latent_image: ['50', 3],
      }),
      {
        ...{ '4': null, '5': null, '6': null, '7': null },
        '8': node('VAEDecode', { samples: ['3', 0], vae: ['50', 4] }),
        '50': node('Efficient Loader', loader),
        '51': node('Text Multiline', { text: 'bad' }),
      },
    );
    expect(bound(graph)).toMatchObject({
      prompt: '50.positive',
      negative_prompt: '51.text',
      checkpoint: '50.ckpt_name',
      clip_skip: '50.clip_skip',
      width: '50.empty_latent_width',
      height: '50.empty_latent_height',
      batch_size: '50.batch_size',
    });
  });

  it('through a pipe, of a sampler that saves by itself', () => {
    const sampler = { pipe: ['2', 0], seed: 1, steps: 8, cfg: 7, image_output: 'Save', save_prefix: 'x' };
    const graph = {
      '1': node('easy fullLoader', {
        ckpt_name: 'c',
        positive: 'a hand',
        negative: 'bad',
        empty_latent_width: 64,
        empty_latent_height: 64,
      }),
      '2': node('pipeEdit', { pipe: ['1', 0] }),
      '3': node('easy kSampler', sampler),
    };
    expect(bound(graph)).toEqual({
      prompt: '1.positive',
      negative_prompt: '1.negative',
      seed: '3.seed',
      steps: '3.steps',
      cfg_scale: '3.cfg',
      checkpoint: '1.ckpt_name',
      width: '1.empty_latent_width',
      height: '1.empty_latent_height',
      filename_prefix: '3.save_prefix',
    });
  });

  it('in one node for both sides: a styler of texts, an encoder of both', () => {
    const styler = node('SDXLPromptStyler', { text_positive: 'a hand', text_negative: 'bad', style: 'ink' });
    const styled = changed(rewired(rewired(t2i, '6', { text: ['50', 0] }), '7', { text: ['50', 1] }), {
      '50': styler,
    });
    expect(bound(styled)).toMatchObject({ prompt: '50.text_positive', negative_prompt: '50.text_negative' });
    const embeds = { embeds: ['50', 0], positive: undefined, negative: undefined };
    const encoded = changed(rewired(t2i, '3', embeds), {
      '50': node('KolorsTextEncode', { prompt: 'a hand', negative_prompt: 'bad', chatglm3_model: ['4', 0] }),
    });
    expect(bound(encoded)).toMatchObject({ prompt: '50.prompt', negative_prompt: '50.negative_prompt' });
  });

  it('in both texts of a wildcard node, and never in its seed', () => {
    const wildcard = { wildcard_text: 'a {left|right} hand', populated_text: 'a left hand', seed: 7 };
    const graph = changed(rewired(t2i, '6', { text: ['50', 0] }), {
      '50': node('ImpactWildcardProcessor', wildcard),
    });
    expect(bound(graph)).toMatchObject({ prompt: '50.wildcard_text, 50.populated_text', seed: '3.seed' });
  });

  it('through a switch with one text behind it', () => {
    const graph = changed(rewired(t2i, '6', { text: ['50', 0] }), {
      '50': node('Any Switch (rgthree)', { any_02: ['51', 0] }),
      '51': node('String Literal', { string: '' }),
    });
    expect(bound(graph)).toMatchObject({ prompt: '51.string' });
  });

  it('in the one part of a text that anything is written in', () => {
    const graph = changed(rewired(t2i, '6', { text: ['50', 0] }), {
      '50': node('Text Concatenate', { delimiter: ', ', text_a: 'a hand', text_b: '', text_c: '' }),
    });
    expect(bound(graph)).toMatchObject({ prompt: '50.text_a' });
  });

  it('of a sampler that names the negative side alone', () => {
    const inputs = {
      positive: undefined,
      negative: undefined,
      conditioning: ['6', 0],
      neg_conditioning: ['7', 0],
    };
    expect(bound(rewired(t2i, '3', inputs))).toMatchObject({ prompt: '6.text', negative_prompt: '7.text' });
  });

  it('not in the words of a box that is laid over it', () => {
    const box = { conditioning_to: ['6', 0], clip: ['4', 1], text: 'a ring', width: 64, height: 64 };
    const graph = changed(rewired(t2i, '3', { positive: ['50', 0] }), {
      '50': node('GLIGENTextboxApply', box),
    });
    expect(bound(graph)).toMatchObject({ prompt: '6.text', width: '5.width' });
  });
});

describe('the prompt is asked for', () => {
  it('where a text is put together of several, by the names of all of them', () => {
    const graph = changed(rewired(t2i, '6', { text: ['50', 0] }), {
      '50': node('StringConcatenate', { string_a: ['51', 0], string_b: 'masterpiece', delimiter: ' ' }),
      '51': node('PrimitiveString', { value: 'a hand' }),
    });
    const message = refusal(() => read(graph));
    expect(message).toMatch(/no node is seen to take the prompt/);
    expect(message).toMatch(/50\.inputs\.string_b/);
    expect(message).toMatch(/51\.inputs\.value/);
    expect(bound(graph, { prompt: '51.inputs.value' })).toMatchObject({ prompt: '51.value' });
  });

  it('where texts that differ are combined', () => {
    const graph = changed(rewired(t2i, '3', { positive: ['50', 0] }), {
      '50': node('ConditioningCombine', { conditioning_1: ['6', 0], conditioning_2: ['51', 0] }),
      '51': says('a foot'),
    });
    expect(refusal(() => read(graph))).toMatch(/"6\.inputs\.text".*51\.inputs\.text/);
    expect(bound(rewired(graph, '51', { text: 'a hand' }))).toMatchObject({ prompt: '6.text, 51.text' });
  });

  it('where it, or a part of it, is read off a picture', () => {
    const graph = changed(rewired(t2i, '6', { text: ['50', 0] }), {
      '50': node('Florence2Run', { image: ['51', 0], text: 'describe', seed: 1 }),
      '51': node('LoadImage', { image: 'a.png' }),
    });
    expect(refusal(() => read(graph))).toMatch(/take the prompt/);
    const parts = changed(rewired(graph, '6', { text: ['52', 0] }), {
      '52': node('StringConcatenate', { string_a: 'in the style of', string_b: ['50', 0] }),
    });
    expect(refusal(() => read(parts))).toMatch(/52\.inputs\.string_a/);
  });
});

describe('the other settings', () => {
  it('take the checkpoint that is nearest along the model, not one of its patches', () => {
    const graph = changed(rewired(t2i, '3', { model: ['50', 0] }), {
      '50': node('Patch', { clip: ['51', 1], model: ['52', 0] }),
      '51': node('CheckpointLoaderSimple', { ckpt_name: 'other' }),
      '52': node('UNETLoader', { unet_name: 'mine' }),
    });
    expect(bound(graph)).toMatchObject({ checkpoint: '52.unet_name' });
  });

  it('are not those of a loader that has a seed and of a node of parameters', () => {
    const graph = changed(rewired(t2i, '3', { seed: ['50', 0], steps: ['51', 1] }), {
      '50': node('Seed (rgthree)', { seed: -1 }),
      '51': node('Input Parameters', { seed: ['50', 0], steps: 8, cfg: 7 }),
    });
    expect(read(graph).samplers).toEqual(['3']);
    expect(bound(graph)).toMatchObject({ seed: '50.seed', steps: '51.steps' });
    expect(bound(graph)['cfg_scale']).toMatch(/^3\.cfg/);
  });

  it('take the place of a link to what is no value of their kind', () => {
    const graph = changed(rewired(t2i, '3', { seed: ['50', 0], sampler_name: ['51', 0], steps: ['52', 0] }), {
      '50': node('Math', { value: 'a * 2' }),
      '51': node('Pick', { value: 3 }),
      '52': node('Config', { steps_total: 8 }),
    });
    expect(bound(graph)).toMatchObject({ seed: '3.seed', sampler: '3.sampler_name', steps: '3.steps' });
  });

  it('take no size that is reckoned from another', () => {
    const graph = changed(rewired(t2i, '5', { width: ['50', 0], height: ['50', 1] }), {
      '50': node('GetImageSize', { image: ['51', 0] }),
      '51': node('LoadImage', { image: 'a.png' }),
    });
    expect(bound(graph)).not.toHaveProperty('width');
  });

  it('take the saver’s own prefix, not the text box that it shares with the prompt', () => {
    const box = node('Text Multiline', { text: 'a hand' });
    const graph = changed(
      rewired(rewired(t2i, '9', { filename_prefix: ['50', 0] }), '6', { text: ['50', 0] }),
      {
        '50': box,
      },
    );
    expect(bound(graph)).toMatchObject({ prompt: '50.text', filename_prefix: '9.filename_prefix' });
  });

  it('take no size from a mask, and no denoising from a latent that no picture is in', () => {
    const painted = changed(rewired(repairGraph('a.png', 1, 'x'), '3', { latent_image: ['50', 0] }), {
      '50': node('SetLatentNoiseMask', { mask: ['51', 0], samples: ['21', 0] }),
      '51': node('SolidMask', { value: 1, width: 512, height: 512 }),
    });
    expect(bound(painted)).not.toHaveProperty('width');
    expect(bound(painted)).toMatchObject({ denoising_strength: '3.denoise', init_image: '20.image' });
    const sized = changed(t2i, { '5': node('SizePicker', { resolution: '1024x1024' }) });
    expect(bound(sized)).not.toHaveProperty('denoising_strength');
  });

  it('take no picture for the start image that only gives its size', () => {
    const graph = changed(rewired(t2i, '5', { width: ['50', 0] }), {
      '40': node('LoadImage', { image: 'a.png' }),
      '50': node('GetImageSize', { image: ['40', 0] }),
    });
    expect(bound(graph)).not.toHaveProperty('init_image');
  });

  const picture = { '40': node('LoadImage', { image: 'a.png' }) };
  it.each<[string, TestGraph]>([
    [
      'an encoder reads for an edit',
      { '6': node('TextEncodeEdit', { clip: ['4', 1], vae: ['4', 2], prompt: 'a hand', image1: ['40', 0] }) },
    ],
    [
      'is handed on with the conditioning',
      {
        '6': node('ReferenceLatent', { conditioning: ['50', 0], latent: ['51', 0] }),
        '50': says('a hand'),
        '51': node('VAEEncode', { pixels: ['40', 0], vae: ['4', 2] }),
      },
    ],
  ])('take a picture for the start image that %s', (_, nodes) => {
    expect(bound(changed(t2i, { ...picture, ...nodes }))).toMatchObject({
      init_image: '40.image',
      width: '5.width',
    });
  });

  it.each<[string, TestGraph]>([
    [
      'a ControlNet’s',
      {
        '50': node('ControlNetApplySD3', {
          positive: ['6', 0],
          control_net: ['9', 0],
          vae: ['4', 2],
          image: ['40', 0],
        }),
      },
    ],
    [
      'a path’s',
      {
        '40': node('LoadImageFromPath', { image: '/a.png' }),
        '50': node('InpaintModelConditioning', { positive: ['6', 0], vae: ['4', 2], pixels: ['40', 0] }),
      },
    ],
  ])('take no picture for the start image that is %s', (_, nodes) => {
    const graph = changed(rewired(t2i, '3', { positive: ['50', 0] }), { ...picture, ...nodes });
    expect(bound(graph)).not.toHaveProperty('init_image');
  });
});

describe('the result is', () => {
  const video = {
    class_type: 'VHS_VideoCombine',
    inputs: { images: ['8', 0], frame_rate: 8, filename_prefix: 'v' },
  };

  it('a picture, not the video beside it', () => {
    expect(bound(changed(t2i, { '50': video }))).toMatchObject({ filename_prefix: '9.filename_prefix' });
  });

  it('refused where it is a video, an animation or a sound, unless bindings name it', () => {
    expect(refusal(() => read(changed(t2i, { '9': video })))).toMatch(
      /no image but a video \(VHS_VideoCombine\)/,
    );
    const animated = node('SaveAnimatedWEBP', { images: ['8', 0], fps: 6, filename_prefix: 'v' });
    expect(refusal(() => read(changed(t2i, { '9': animated })))).toMatch(/no image but a video/);
    const sound = node('SaveAudio', { audio: ['8', 0], filename_prefix: 'v' });
    expect(refusal(() => read(changed(t2i, { '9': sound })))).toMatch(/saves no image: put a SaveImage/);
    expect(
      bound(changed(t2i, { '9': sound }), { filename_prefix: '9.inputs.filename_prefix' }),
    ).toMatchObject({
      prompt: '6.text',
    });
  });

  it.each(['PreviewImage', 'SaveImageWebsocket'])('saved where a %s only shows it', (name) => {
    const graph = changed(t2i, { '9': node(name, { images: ['8', 0] }) });
    expect(read(graph).graph['9']?.class_type).toBe('SaveImage');
    expect(bound(graph)).toMatchObject({ filename_prefix: '9.filename_prefix' });
    // Beside a SaveImage it stays what it is.
    const beside = changed(t2i, { '50': node(name, { images: ['8', 0] }) });
    expect(read(beside).graph['50']?.class_type).toBe(name);
  });
});
