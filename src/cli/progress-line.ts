import { createLogUpdate } from 'log-update';
import { visible } from '../base/visible.js';

/** One line that is written over on a terminal; nothing elsewhere, where it would fill a log. */
export function progressLine(): { show(text: string): void; clear(): void } {
  if (!process.stderr.isTTY) return { show: () => undefined, clear: () => undefined };
  const update = createLogUpdate(process.stderr);
  return {
    show: (text) => update(visible(text).slice(0, (process.stderr.columns || 80) - 1)),
    clear: () => update.clear(),
  };
}
