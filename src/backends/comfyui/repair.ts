import { readFile } from 'node:fs/promises';
import { ConfigError, systemCode } from '../../errors.js';
import type { Repair } from '../../loop/index.js';
import { readWorkflow, type Workflow } from './workflow.js';

/** The workflow of a repair. ConfigError where it cannot be read, is unusable, or takes no picture. */
export async function readRepair({
  workflow: path,
  bindings,
}: Repair & { with: 'workflow' }): Promise<Workflow> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new ConfigError(`the workflow ${path} cannot be read (${systemCode(error) ?? String(error)}).`);
  });
  const workflow = readWorkflow({ text, path }, bindings);
  if (workflow.bindings.init_image === undefined) {
    throw new ConfigError(
      `${path} cannot mend an image: no LoadImage is seen to take it. Say which one does, for example bindings: { init_image: "10.inputs.image" }.`,
    );
  }
  return workflow;
}
