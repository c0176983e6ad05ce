import { once } from 'node:events';
import { createInterface } from 'node:readline/promises';
import { visible } from '../base/visible.js';

/** Whether somebody sits at a terminal who can be asked. */
export const canAsk = (): boolean => process.stdin.isTTY && process.stderr.isTTY;

/** Asks a terminal. Rejects with an AbortError where `signal` aborts, or the terminal closes without an answer. */
export async function ask(question: string, signal?: AbortSignal): Promise<string> {
  // Without a terminal's own keys, so that Ctrl-C stays what it is.
  const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: false });
  try {
    const asked = lines.question(visible(question), { ...(signal && { signal }) });
    const closed = once(lines, 'close').then(() => {
      throw new DOMException('nobody answers', 'AbortError');
    });
    const answer = await Promise.race([asked, closed]);
    closed.catch(() => undefined);
    return answer.trim();
  } finally {
    lines.close();
  }
}
