import { describeLacks, stem, type Lack } from '../backends/index.js';
import { BackendError } from '../errors.js';
import type { DueLane } from '../ledger/index.js';
import { laneOf } from '../loop/index.js';
import type { Worker } from '../queue/index.js';
import type { Member } from './pool.js';
import { generateQueue } from './queue-names.js';

/** What every request of a lane needs; the rest is each request's own affair. */
const laneWide = new Set(['checkpoint', 'vae', 'node', 'extension']);

export interface Seat {
  member: Member;
  /** Only while the member is on the lane's track: each worker holds a connection to the queue. */
  worker: Worker | undefined;
}

export interface Lane {
  queue: string;
  /** The lane of the same requests where they repair nothing: a server goes from one to the other at no cost. */
  track: string;
  priority: number;
  checkpoint: string | undefined;
  /** One for each backend that can serve the lane; only backends that are on its track take its jobs. */
  seats: Seat[];
  /** What each backend lacks for it, as far as it could be asked. */
  lacks: Map<Member, Lack[]>;
}

export function openLane(run: string, due: DueLane): Lane {
  return {
    queue: generateQueue(run, due.lane),
    track: laneOf(due.request, due.tags),
    priority: due.priority,
    checkpoint: due.request.checkpoint,
    seats: [],
    lacks: new Map(),
  };
}

/**
 * Seats every backend that has what the lane needs. Answers why no backend ever will serve it, where none has what it
 * needs and all could be asked.
 */
export async function seatMembers(
  lane: Lane,
  due: DueLane,
  { members, signal }: { members: readonly Member[]; signal: AbortSignal },
): Promise<string | undefined> {
  const able = members.filter((member) => member.serves(due));
  await Promise.all(
    able.map(async (member) => {
      // One that is down is asked when it is well again: a dark machine must not keep the others waiting.
      if (lane.lacks.has(member) || !member.well) return;
      const all = await member.backend.missing(due.request, signal, due.repair).catch(lacksOfUnasked);
      const lacks = all?.filter(({ what }) => laneWide.has(what));
      if (!lacks || lane.lacks.has(member)) return;
      lane.lacks.set(member, lacks);
      if (lacks.length === 0) lane.seats.push({ member, worker: undefined });
    }),
  );
  if (lane.seats.length > 0 || !able.every((member) => lane.lacks.has(member))) return undefined;
  if (able.length === 0) return describeUnserved(due);
  return [...lane.lacks].map(([member, lacks]) => `${member.name}: ${describeLacks(lacks)}`).join('; ');
}

/** Servers say a title with a hash, or a bare name; a pipeline may say either. */
export function hasLoaded({ info }: Member, { checkpoint }: Lane): boolean {
  const loaded = info?.checkpoint;
  return checkpoint !== undefined && loaded !== undefined && stem(checkpoint) === stem(loaded);
}

/** A server that cannot be asked now may have everything: its lane waits for it. A request that it refuses fails there. */
function lacksOfUnasked(error: unknown): Lack[] | undefined {
  if (error instanceof BackendError) return error.fault === 'request' ? [] : undefined;
  throw error;
}

function describeUnserved({ tags, repair }: DueLane): string {
  const who = tags.length === 0 ? 'no backend' : `no backend with the tags ${tags.join(', ')}`;
  return repair ? `${who} can repair an image with ${repair.with}` : `${who} is in the pipeline`;
}
