import type { Backend } from '../backends/index.js';
import { adjustedBy } from '../loop/index.js';
import type { Pipeline } from '../pipeline/index.js';

/**
 * What to say of backends that do not take what the pipeline sets or its ladder changes, or not everywhere: an
 * attempt that changes nothing there is the same image again, or one by chance.
 */
export function vainSettings(
  { generate, prompts, retry }: Pick<Pipeline, 'generate' | 'prompts' | 'retry'>,
  backends: readonly Pick<Backend, 'name' | 'warnings'>[],
): string[] {
  const said = [generate, ...prompts, ...prompts.map(({ matrix = {} }) => matrix)];
  const settings = new Set([...said.flatMap((one) => Object.keys(one)), ...adjustedBy(retry.ladder)]);
  return backends.flatMap((backend) =>
    (backend.warnings?.([...settings]) ?? []).map((words) => `${backend.name}: ${words}`),
  );
}
