import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { LockedError } from '../errors.js';
import { readLock } from '../ledger/index.js';
import { LocalService } from './local-service.js';
import { RemoteService } from './remote-service.js';
import { opening } from './releasers.js';
import { RunHere } from './run-here.js';
import type { Service } from './service.js';
import { needHome, withState } from './state.js';

/** A process that has just taken the folder needs a moment to say where it answers; a `status` beside ours gives it back. */
const tries = 20;
const pauseMs = 500;

/**
 * Asks the process that holds a state folder; where none does, opens the folder itself, and then `warn` hears what a
 * user should know.
 */
export async function withService<T>(
  home: string,
  ask: (service: Service) => Promise<T>,
  warn: (message: string) => void,
): Promise<T> {
  await needHome(home, process.env);
  for (let attempt = 1; ; attempt++) {
    const holder = await holderOf(home, warn);
    if (holder) return ask(holder);
    try {
      return await withState(home, (state) =>
        opening(async (releasers) => {
          state.events.listen((event) => event.type === 'warning' && warn(event.message));
          const here = new RunHere(state);
          releasers.add(() => here.stop({ force: true }));
          const answer = await ask(new LocalService(state, here));
          await releasers.close();
          return answer;
        }),
      );
    } catch (error) {
      if (!(error instanceof LockedError) || attempt === tries) throw error;
      await sleep(pauseMs);
    }
  }
}

/** The service of the process that holds a state folder, if one does and has said where it answers. */
export async function holderOf(
  home: string,
  onSilent?: (words: string) => void,
): Promise<Service | undefined> {
  const holder = await readLock(home);
  if (holder?.control === undefined) return undefined;
  return new RemoteService(holder.control, {
    ...(holder.host === hostname() && { pid: holder.pid }),
    ...(onSilent && { onSilent }),
  });
}
