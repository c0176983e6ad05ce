import { writeFile } from 'node:fs/promises';
import { defaultModel } from '../base/default-model.js';
import { ConfigError, StorageError, systemCode } from '../errors.js';
import { exitCodes } from './exit.js';
import { say } from './print.js';

const firstPipeline = `# A first pipeline. Every key is explained in docs/pipeline.md.
name: first
backends:
  - name: local
    kind: a1111                    # AUTOMATIC1111, Forge, reForge, SD.Next: start it with --api
    url: http://127.0.0.1:7860
    slots: 2                       # one image in the making, one waiting
  # - name: comfy
  #   kind: comfyui
  #   url: http://127.0.0.1:8188
  #   workflow: workflow.api.json  # ComfyUI: File > Export (API)
generate:
  negative_prompt: "worst quality, low quality"
  width: 512
  height: 768
  steps: 25
  cfg_scale: 6
prompts:
  - text: "photo of a woman waving, {soft|hard} light"
    count: 4
  - text: "a pianist's hands on the keys"
    count: 2
gate:
  model: ${defaultModel}   # once: reroll model pull ${defaultModel}
  reject:
    - labels: ["*Bad_Anatomy"]
      threshold: 0.5
retry:
  attempts: 6
  ladder:
    - new_seed
    - adjust: { negative_prompt_append: "extra fingers, fused fingers", cfg_scale: "+1" }
  on_exhausted: keep_best
output:
  dir: out
`;

/** Writes a first pipeline. */
export async function init(file: string, { force }: { force: boolean }): Promise<number> {
  try {
    await writeFile(file, firstPipeline, { flag: force ? 'w' : 'wx' });
  } catch (error) {
    if (systemCode(error) === 'EEXIST')
      throw new ConfigError(`${file} is there already: name another file, or use --force.`);
    throw new StorageError(`cannot write ${file}: ${systemCode(error) ?? String(error)}`, {
      cause: error,
    });
  }
  say(`Wrote ${file}. Put your server's address in it, then:\n  reroll doctor ${file}\n  reroll run ${file}`);
  return exitCodes.done;
}
