import { expect, test } from 'vitest';
import type { Backend } from '../../src/backends/index.js';
import type { DueLane, Ledger } from '../../src/ledger/index.js';
import type { ImageRequest, Repair } from '../../src/loop/index.js';
import type { Queues } from '../../src/queue/index.js';
import { Agents } from '../../src/runtime/agents.js';
import { Member } from '../../src/runtime/member.js';

const repair: Repair = { with: 'adetailer' };

const due = (lane: string, checkpoint: string, repair?: Repair): DueLane => ({
  lane,
  priority: 0,
  request: { checkpoint } as ImageRequest,
  tags: [],
  ...(repair && { repair }),
});

/** Agents whose queues hold as many jobs as `ready` says, and the queues that somebody takes from, in order. */
function agentsOf(ready: { [queue: string]: number }) {
  const taken: string[] = [];
  const open = new Map<string, { resumed: boolean }>();
  const queues = {
    waiting: async (queue: string) => ({ ready: ready[queue] ?? 0, delayed: 0 }),
    work: (queue: string) => {
      const worker = { resumed: false };
      open.set(queue, worker);
      return {
        resume: () => {
          worker.resumed = true;
          taken.push(queue);
        },
        pause: () => (worker.resumed = false),
        close: async () => open.delete(queue),
      };
    },
  } as unknown as Queues;
  const agents = new Agents(queues, {
    ledger: { under: () => ({}) } as unknown as Ledger,
    mayTake: (run) => run !== 'paused',
    handle: async () => undefined,
    onHealth: () => undefined,
    onError: (error) => {
      throw error;
    },
  });
  const agent = (address: string, run = 'run', slots = 1) => {
    const made = agents.at(address);
    const backend = { name: address, kind: 'a1111' } as Backend;
    made.attach(new Member(run, backend, { slots, tags: [] }, address, made));
    made.setLease({ name: address, number: 1 });
    return made;
  };
  return { agents, agent, taken, open };
}

test('one goes where it alone can repair, before it goes where others can do all', async () => {
  const { agents, agent, taken } = agentsOf({ draw: 5, repair: 1, other: 1 });
  for (const name of ['one', 'two']) agent(name).offer('draw', 'run', due('draw', 'x'));
  const repairer = agent('repairer');
  repairer.offer('draw', 'run', due('draw', 'x'));
  repairer.offer('repair', 'run', due('repair', 'x', repair));
  repairer.offer('other', 'run', due('other', 'y'));
  await agents.settle();
  expect(taken).toContain('repair');
});

test('one stays on its track while there is work, and leaves it when it is dry', async () => {
  const ready: { [queue: string]: number } = { x: 1, y: 9 };
  const { agents, agent, open } = agentsOf(ready);
  const only = agent('only');
  only.info = { product: 'any', checkpoint: 'x' };
  only.offer('x', 'run', due('x', 'x'));
  only.offer('y', 'run', due('y', 'y'));
  await agents.settle();
  expect([...open.keys()]).toEqual(['x']);
  await agents.settle();
  expect([...open.keys()]).toEqual(['x']);
  ready.x = 0;
  await agents.settle();
  expect([...open.keys()]).toEqual(['y']);
});

test('queues of two runs with the same checkpoint are served side by side', async () => {
  const { agents, agent, open } = agentsOf({ a: 1, b: 1 });
  const shared = agent('shared', 'one');
  agent('shared', 'two');
  shared.offer('a', 'one', due('x', 'x'));
  shared.offer('b', 'two', due('x', 'x'));
  await agents.settle();
  expect([...open.keys()].sort()).toEqual(['a', 'b']);
});

test('a run that leaves takes its queues along, and no others', async () => {
  const { agents, agent, open } = agentsOf({ both: 1, one: 1 });
  const shared = agent('shared', 'one');
  agent('shared', 'two');
  for (const run of ['one', 'two']) shared.offer('both', run, due('x', 'x'));
  shared.offer('one', 'one', due('x', 'x'));
  await agents.settle();
  expect([...open.keys()].sort()).toEqual(['both', 'one']);
  shared.detach('one');
  expect([...open.keys()]).toEqual(['both']);
});

test('nothing is taken without a lease, or for a paused run alone', async () => {
  const { agents, agent, open } = agentsOf({ x: 1 });
  const only = agent('only', 'paused');
  only.offer('x', 'paused', due('x', 'x'));
  await agents.settle();
  expect(open.get('x')?.resumed).toBe(false);
  only.setLease(undefined);
  expect(open.size).toBe(0);
});

test('the smallest number of slots that a run names is kept', async () => {
  const { agent } = agentsOf({});
  const shared = agent('shared', 'one', 3);
  agent('shared', 'two', 2);
  let held = 0;
  let most = 0;
  const work = async () => {
    most = Math.max(most, ++held);
    await new Promise((resolve) => setImmediate(resolve));
    held--;
  };
  await Promise.all([1, 2, 3, 4, 5].map(() => shared.call('any', work, new AbortController().signal)));
  expect(most).toBe(2);
});
