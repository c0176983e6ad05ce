import { ConfigError } from '../../errors.js';
import type { Repair } from '../../loop/index.js';
import { readWorkflowFile } from './file.js';
import type { ReadFile } from '../port.js';
import { nodeName } from './graph.js';
import { loadersOf } from './pictures.js';
import { readWorkflow, type Workflow } from './workflow.js';

/** The workflow of a repair. ConfigError where it cannot be read, is unusable, or takes no picture. */
export async function readRepair(
  { workflow: path, bindings }: Repair & { with: 'workflow' },
  readFile: ReadFile,
  keepImages = true,
): Promise<Workflow> {
  const workflow = readWorkflow(await readWorkflowFile(path, readFile), bindings, keepImages);
  if (workflow.bindings.init_image === undefined) {
    const loaders = loadersOf(workflow.graph);
    const [first] = loaders;
    const advice =
      first === undefined
        ? 'it has no LoadImage node. Add LoadImage -> VAEEncode -> KSampler and export it again.'
        : `it has ${loaders.map((id) => nodeName(workflow.graph, id)).join(', ')}, and none is seen to be what is sampled from. Say which takes the image, for example bindings: { init_image: "${first}.inputs.image" }.`;
    throw new ConfigError(`${path} cannot repair an image: ${advice}`);
  }
  return workflow;
}
