import type { Backend } from '../backends/index.js';
import { adjustedBy, type Rung } from '../loop/index.js';

/**
 * What to say of backends that do not take what the ladder changes: without the change, the next attempt there
 * is the same image again, or one by chance.
 */
export function vainChanges(
  ladder: readonly Rung[],
  backends: readonly Pick<Backend, 'name' | 'unbound'>[],
): string[] {
  const adjusted = adjustedBy(ladder);
  return backends.flatMap(({ name, unbound = [] }) => {
    const vain = adjusted.filter((setting) => unbound.includes(setting));
    const words = vain.join(', ');
    return vain.length === 0
      ? []
      : `${name}: its workflow does not take ${words}, which the ladder changes. Say under bindings which input does.`;
  });
}
