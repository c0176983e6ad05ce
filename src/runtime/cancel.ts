import type { Backend } from '../backends/index.js';
import { toError } from '../errors.js';
import type { Run } from '../ledger/index.js';
import { finishRun } from './finish.js';
import type { State } from './state.js';
import { connect, isOwn } from './connect.js';
import { opening } from './releasers.js';
import { recordedRun } from './start.js';

const timeoutMs = 10_000;

/** Tells servers to stop what was `sent` to them for a run that is cancelled. Warns of those that it cannot tell. */
export async function stopServers(
  state: State,
  run: string,
  sent: readonly { backend: string; remoteId: string }[],
  backendOf: (name: string) => Promise<Backend | undefined>,
): Promise<void> {
  const signal = AbortSignal.timeout(timeoutMs);
  const untold = new Map<string, string>();
  await Promise.all(
    sent.map(async ({ backend, remoteId }) => {
      try {
        const server = await backendOf(backend);
        await server?.cancel(remoteId, signal);
      } catch (error) {
        // The run is cancelled all the same.
        const late = `${backend}: no answer in ${timeoutMs / 1000} s.`;
        untold.set(backend, signal.aborted ? late : toError(error).message);
      }
    }),
  );
  for (const reason of untold.values()) {
    const message = `Not told to stop, and perhaps still at an image of ${run}: ${reason}`;
    state.events.emit({ type: 'warning', run, code: 'backend-untold', message });
  }
}

/**
 * Cancels a run that no process works on: its servers may still be at what a killed process sent them. Repeating it
 * tells them again, and writes the same files. Throws ConfigError, and changes nothing, where its pipeline cannot be
 * read any more (a variable is not set).
 */
export async function cancelInterrupted(state: State, run: Run, env: NodeJS.ProcessEnv): Promise<void> {
  const { pipeline, files } = await recordedRun(state, run, env);
  await opening(async (releasers) => {
    const connected = new Map<string, Promise<Backend>>();
    const sent = await state.ledger.cancelRun(run.id);
    await stopServers(state, run.id, sent, async (name) => {
      const config = pipeline.backends.find((backend) => backend.name === name);
      // One of our own ended with its process.
      if (!config || isOwn(config)) return undefined;
      const backend = connected.get(name) ?? connect(config, releasers, files.read);
      connected.set(name, backend);
      return backend;
    });
    await finishRun(state, run.id, pipeline, { seconds: 0, attemptsBefore: 0 });
    await releasers.close();
  });
}
