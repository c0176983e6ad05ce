import type { EventRecord } from '../ledger/index.js';
import { runOf, type RunEvent } from './events.js';
import type { RunHere } from './run-here.js';
import type { RunRecord } from './service.js';
import type { State } from './state.js';

/** Kept events that are read at a time. */
const page = 500;
/** Passing events that wait for a slow reader; the oldest go first. */
const maxPassing = 100;
/** Where other processes write events too, how often they are looked for. */
const lookMs = 500;

/** An event of the ledger's as it was told. */
export function kept({ sequence, at, code, data }: EventRecord): RunRecord {
  return { sequence, at: at.toISOString(), event: { type: code, ...(data as object) } as RunEvent };
}

/**
 * A run's events after a sequence number: the kept ones out of the ledger, each once, so that a reader which sleeps
 * costs no memory; between them how far things are. Ends when nobody here works on the run any more.
 */
export async function* tail(
  state: State,
  here: RunHere,
  run: string,
  after: number,
): AsyncGenerator<RunRecord> {
  let passing: RunRecord[] = [];
  let wake: () => void = () => undefined;
  const stops = [
    state.events.listen((event) => {
      if (runOf(event) !== run || (event.type !== 'progress' && event.type !== 'totals')) return;
      passing.push({ at: new Date().toISOString(), event });
      passing = passing.slice(-maxPassing);
      wake();
    }),
    here.onLogged((logged) => {
      if (logged === run) wake();
    }),
  ];
  let last = after;
  try {
    for (;;) {
      // Asked first: what is written until it is left is read below.
      const isHeld = here.find(run) !== undefined;
      const woken = new Promise<void>((resolve) => {
        wake = resolve;
        if (state.isShared) setTimeout(resolve, lookMs).unref();
      });
      const records = await state.ledger.events(run, last, page);
      for (const record of records) {
        last = record.sequence;
        yield kept(record);
      }
      yield* passing.splice(0);
      if (records.length === page) continue;
      if (!isHeld) return;
      await woken;
    }
  } finally {
    for (const stop of stops) stop();
  }
}
