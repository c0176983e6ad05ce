import { deferred, type Deferred } from '../base/deferred.js';
import type { Run } from '../ledger/index.js';
import type { Agents } from './agents.js';
import { isOwn } from './connect.js';
import type { Coordinator } from './coordinator.js';
import type { RunSummary } from './finish.js';
import { Member } from './member.js';
import { OpenRun } from './open-run.js';
import { Output } from './output.js';
import type { Prepared, Server } from './prepare.js';
import type { State } from './state.js';

export type Role = 'coordinate' | 'generate' | 'judge';
export const allRoles: readonly Role[] = ['coordinate', 'generate', 'judge'];

/** A run that is worked on here. */
export interface Held {
  open: OpenRun;
  roles: readonly Role[];
  prepared: Prepared;
  /** While this process has that role. */
  coordinator?: Coordinator;
  ended: Deferred<RunSummary>;
  closing?: Promise<void>;
}

/** Opens a run whose servers and models are prepared. Its members are attached to their agents by `attachMembers`. */
export async function openHeld(
  state: State,
  agents: Agents,
  { run, prepared, roles }: { run: Run; prepared: Prepared; roles: readonly Role[] },
): Promise<Held> {
  const { ledger } = state;
  const { pipeline, servers, judge } = prepared;
  const members = servers.map(({ backend, config, address, manner }) => {
    // A server that is one run's own has queues of that run's own.
    const identity = JSON.stringify([manner, isOwn(config) ? run.id : address]);
    return new Member(run.id, backend, config, identity, agents.at(address));
  });
  const event = { code: 'run', data: { run: run.id, state: 'running' } };
  const after = (await ledger.appendEvents(run.id, [event])) - 1;
  const output = new Output(run, pipeline, ledger);
  const before = await ledger.progress(run.id);
  const open = new OpenRun({ run, pipeline, output, members, judge, before, after });
  return { open, roles, prepared, ended: deferred<RunSummary>() };
}

/** Puts a run's members beside those of other runs on the same servers. */
export function attachMembers({ events }: State, { open, prepared: { servers } }: Held): void {
  for (const [place, member] of open.members.entries()) {
    const problem = attach(member, servers[place]);
    if (problem === undefined) continue;
    events.emit({ type: 'backend', run: open.id, backend: member.name, state: 'down', reason: problem });
  }
}

/** Attaches one; gives what keeps this run alone from a server that others use. */
function attach(member: Member, server: Server | undefined): string | undefined {
  const { agent } = member;
  const isShared = agent.isNamed;
  agent.attach(member);
  agent.info = server?.info ?? agent.info;
  const problem = server?.problem;
  if (!problem) return undefined;
  if (!isShared) {
    agent.health.takeDown(problem);
    return undefined;
  }
  // Others use it: what keeps this run from it, a wrong password say, is this run's affair.
  member.problem = problem;
  return problem.message;
}
