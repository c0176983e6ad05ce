import { setTimeout as sleep } from 'node:timers/promises';
import { LockedError } from '../errors.js';
import { readLock } from '../ledger/index.js';
import { LocalControl, type Control } from './control.js';
import { connectControl } from './control-socket.js';
import { withState, needHome } from './state.js';

/** A process that has just taken the folder needs a moment to say where it answers; a `status` beside ours gives it back. */
const tries = 20;
const pauseMs = 500;

/**
 * Asks the process that holds a state folder; where none does, opens the folder itself, and then `warn` hears what a
 * user should know.
 */
export async function askControl<T>(
  home: string,
  ask: (control: Control) => Promise<T>,
  warn: (message: string) => void,
): Promise<T> {
  await needHome(home, process.env);
  for (let attempt = 1; ; attempt++) {
    try {
      return await withState(home, (state) => {
        state.events.listen((event) => event.type === 'warning' && warn(event.message));
        return ask(new LocalControl(state));
      });
    } catch (error) {
      if (!(error instanceof LockedError)) throw error;
      const control = (await readLock(home))?.control;
      if (control !== undefined) return ask(connectControl(control));
      if (attempt === tries) throw error;
      await sleep(pauseMs);
    }
  }
}
