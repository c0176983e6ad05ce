import { defaultModel } from '../base/default-model.js';

/** Which models an example is for: each wants its own size, steps and CFG scale. */
export type Family = 'sd15' | 'sdxl' | 'flux';
export type ServerKind = 'a1111' | 'comfyui';

interface Advice {
  width: number;
  height: number;
  steps: number;
  cfg: number;
  /** Flux is guided in another way: it hears no negative prompt. */
  hasNegative: boolean;
  /** The file by which its makers published it. */
  checkpoint: string;
}

const advice: { [F in Family]: Advice } = {
  sd15: {
    width: 512,
    height: 768,
    steps: 25,
    cfg: 6,
    hasNegative: true,
    checkpoint: 'v1-5-pruned-emaonly.safetensors',
  },
  sdxl: {
    width: 832,
    height: 1216,
    steps: 30,
    cfg: 6,
    hasNegative: true,
    checkpoint: 'sd_xl_base_1.0.safetensors',
  },
  flux: {
    width: 832,
    height: 1216,
    steps: 20,
    cfg: 1,
    hasNegative: false,
    checkpoint: 'flux1-dev-fp8.safetensors',
  },
};

const servers: { [K in ServerKind]: (family: Family, workflow: string) => string } = {
  a1111: (family) => `  - name: local
    kind: a1111                    # ${family === 'flux' ? 'Forge: AUTOMATIC1111 itself knows no Flux' : 'AUTOMATIC1111, Forge, reForge, SD.Next'}; start it with --api
    url: http://127.0.0.1:7860
`,
  comfyui: (_, workflow) => `  - name: local
    kind: comfyui
    url: http://127.0.0.1:8188
    workflow: ${JSON.stringify(workflow)}   # or yours: File > Export (API) in ComfyUI
`,
};

const settings: { [K in ServerKind]: (family: Family) => string } = {
  a1111: (family) =>
    `  # checkpoint: ${advice[family].checkpoint}   # left out: the one that is loaded
${family === 'flux' ? '  sampler: Euler\n  scheduler: Simple\n' : ''}`,
  comfyui: (family) =>
    `  checkpoint: ${advice[family].checkpoint}   # or another that your server has
`,
};

/** A pipeline that runs where it lies, as a text with comments. `workflow`: the file's name beside it. */
export function firstPipeline(family: Family, server: ServerKind, workflow: string): string {
  const { width, height, steps, cfg, hasNegative } = advice[family];
  return `# Runs are called after this file. Every key: docs/pipeline.md of reroll.
backends:
${servers[server](family, workflow)}generate:
${hasNegative ? '  negative_prompt: worst quality, low quality\n' : ''}  width: ${width}
  height: ${height}
  steps: ${steps}
  cfg_scale: ${cfg}${hasNegative ? '' : '                     # more makes Flux twice as slow, and worse'}
${settings[server](family)}prompts:
  - text: "photo of a woman waving, {soft|hard} light"
    count: 4
  - text: "a pianist's hands on the keys"
    count: 2
gate:
  model: ${defaultModel}
  reject:
    - labels: ['*Bad_Anatomy']
      threshold: 0.5
retry:
  attempts: 6                      # for each shot
  ladder:                          # what attempt 2, 3 and so on change; the last line repeats
    - new_seed
    - adjust: ${hasNegative ? "{ negative_prompt_append: 'extra fingers, fused fingers', cfg_scale: '+0.5' }" : "{ prompt_append: well-formed hands, steps: '+5' }"}
  on_exhausted: keep_best          # where no attempt was accepted: the best one; or discard, or review
output:
  dir: out
`;
}
