import { expect, test } from 'vitest';
import type { Backend, Health } from '../../src/backends/index.js';
import type { DueLane } from '../../src/ledger/index.js';
import type { ImageRequest, Repair } from '../../src/loop/index.js';
import type { State } from '../../src/runtime/index.js';
import { Lanes } from '../../src/runtime/lanes.js';
import { Member } from '../../src/runtime/pool.js';

const repair: Repair = { with: 'adetailer' };

function member(name: string, kind: 'a1111' | 'comfyui', checkpoints: string[]): Member {
  const backend = {
    name,
    kind,
    missing: async ({ checkpoint }: ImageRequest) =>
      checkpoints.includes(checkpoint!) ? [] : [{ what: 'checkpoint', asked: checkpoint!, near: [] }],
  } as unknown as Backend;
  return new Member(backend, { state: 'well', isTaking: true } as Health, 1, []);
}

const due = (lane: string, checkpoint: string, repair?: Repair): DueLane => ({
  lane,
  due: 1,
  priority: 0,
  request: { checkpoint } as ImageRequest,
  tags: [],
  ...(repair && { repair }),
});

/** Lanes whose queues hold as many jobs as `ready` says, and who works on them. */
function lanesOf(members: Member[], lanes: DueLane[], ready: { [lane: string]: number }) {
  const busy: string[] = [];
  const laneOf = (queue: string) => queue.replace('generate-run-', '');
  const warnings: string[] = [];
  const state = {
    events: { emit: ({ message }: { message: string }) => void warnings.push(message) },
    ledger: { dueLanes: async () => lanes, dueAttempts: async () => [] },
    queues: {
      add: async () => undefined,
      waiting: async (queue: string) => ({ ready: ready[laneOf(queue)] ?? 0, delayed: 0 }),
      work: (queue: string) => ({
        resume: () => void busy.push(laneOf(queue)),
        pause: () => undefined,
        close: async () => undefined,
      }),
    },
  } as unknown as State;
  const opened = new Lanes({
    state,
    run: 'run',
    members,
    signal: new AbortController().signal,
    handle: async () => undefined,
    onBug: (error) => {
      throw error;
    },
    onFailed: () => undefined,
  });
  return { opened, busy, warnings };
}

test('a server goes where it alone can repair, before it goes where others can do all', async () => {
  const drawers = ['one', 'two'].map((name) => member(name, 'comfyui', ['x']));
  const lanes = [due('draw', 'x'), due('repair', 'x', repair), due('other', 'y')];
  const ready = { draw: 5, repair: 1, other: 1 };
  const { opened, busy } = lanesOf(
    [...drawers, member('other', 'comfyui', ['y']), member('repairer', 'a1111', ['x', 'y'])],
    lanes,
    ready,
  );
  await opened.refresh();
  expect(busy).toContain('repair');
});

test('a server that is left out is named once, with what it lacks', async () => {
  const members = [member('able', 'comfyui', ['x']), member('poor', 'comfyui', ['y'])];
  const { opened, warnings } = lanesOf(members, [due('draw', 'x')], { draw: 5 });
  await opened.refresh();
  await opened.onHealth();
  expect(warnings).toEqual(['poor is left out of some prompts: no checkpoint "x"']);
});
