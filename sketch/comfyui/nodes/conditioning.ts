import { float, int, text, type NodeTypes } from './type.js';

/** Nodes that make conditioning: here, the text itself. */
export const conditioning: NodeTypes = {
  CLIPTextEncode: {
    display: 'CLIP Text Encode (Prompt)',
    category: 'conditioning',
    required: { text, clip: ['CLIP'] },
    output: ['CONDITIONING'],
    run: (inputs) => [{ type: 'CONDITIONING', text: inputs.text('text') }],
  },
  CLIPTextEncodeSDXL: {
    display: 'CLIPTextEncodeSDXL',
    category: 'advanced/conditioning',
    required: {
      clip: ['CLIP'],
      width: int(1024, 0, 16384),
      height: int(1024, 0, 16384),
      crop_w: int(0, 0, 16384),
      crop_h: int(0, 0, 16384),
      target_width: int(1024, 0, 16384),
      target_height: int(1024, 0, 16384),
      text_g: text,
      text_l: text,
    },
    output: ['CONDITIONING'],
    run: (inputs) => [{ type: 'CONDITIONING', text: both(inputs.text('text_g'), inputs.text('text_l')) }],
  },
  CLIPTextEncodeFlux: {
    display: 'CLIPTextEncodeFlux',
    category: 'advanced/conditioning/flux',
    required: { clip: ['CLIP'], clip_l: text, t5xxl: text, guidance: float(3.5, 0, 100, 0.1) },
    output: ['CONDITIONING'],
    run: (inputs) => [
      {
        type: 'CONDITIONING',
        text: both(inputs.text('t5xxl'), inputs.text('clip_l')),
        guidance: inputs.number('guidance'),
      },
    ],
  },
  FluxGuidance: {
    display: 'FluxGuidance',
    category: 'advanced/conditioning/flux',
    required: { conditioning: ['CONDITIONING'], guidance: float(3.5, 0, 100, 0.1) },
    output: ['CONDITIONING'],
    run: (inputs) => [
      { ...inputs.value('conditioning', 'CONDITIONING'), guidance: inputs.number('guidance') },
    ],
  },
  ConditioningZeroOut: {
    display: 'ConditioningZeroOut',
    category: 'advanced/conditioning',
    required: { conditioning: ['CONDITIONING'] },
    output: ['CONDITIONING'],
    run: () => [{ type: 'CONDITIONING', text: '' }],
  },
  ConditioningCombine: {
    display: 'Conditioning (Combine)',
    category: 'conditioning',
    required: { conditioning_1: ['CONDITIONING'], conditioning_2: ['CONDITIONING'] },
    output: ['CONDITIONING'],
    run: (inputs) => [
      {
        type: 'CONDITIONING',
        text: both(
          inputs.value('conditioning_1', 'CONDITIONING').text,
          inputs.value('conditioning_2', 'CONDITIONING').text,
        ),
      },
    ],
  },
};

function both(first: string, second: string): string {
  return first === second || second === '' ? first : first === '' ? second : `${first}, ${second}`;
}
