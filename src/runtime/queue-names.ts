import type { State } from './state.js';

export const classifyQueue = (run: string): string => `classify-${run}`;
export const generateQueue = (run: string, lane: string): string => `generate-${run}-${lane}`;

/** The queues that may hold jobs of a run: what is in them belongs to the one process that works on it. */
export async function queuesOf({ ledger }: Pick<State, 'ledger'>, run: string): Promise<string[]> {
  const lanes = await ledger.dueLanes(run);
  return [classifyQueue(run), ...lanes.map(({ lane }) => generateQueue(run, lane))];
}
