import { afterEach, expect, test, vi } from 'vitest';
import { emptyView, end, render, see, type View } from '../../src/cli/view.js';
import type { RunEvent } from '../../src/runtime/index.js';

type Progress = Extract<RunEvent, { type: 'totals' }>['progress'];

function totals(view: View, some: Partial<Progress>): void {
  const progress: Progress = {
    run: 'demo-1',
    state: 'running',
    shots: 4,
    accepted: 0,
    exhausted: 0,
    failed: 0,
    cancelled: 0,
    attempts: 0,
    rejected: 0,
    due: 0,
    generated: 0,
    serverErrors: 0,
    ...some,
  };
  see(view, { type: 'totals', progress });
}

const pass = (ms: number) => vi.setSystemTime(Date.now() + ms);
afterEach(() => vi.useRealTimers());

/** A view of a run that began a minute ago and has accepted two of its four shots. */
function halfway(): View {
  vi.useFakeTimers({ toFake: ['Date'] });
  const view = emptyView('demo-1', 4, ['auto', 'comfyui-long']);
  pass(60_000);
  totals(view, {});
  totals(view, { accepted: 2, attempts: 3, rejected: 1 });
  return view;
}

const health = (backend: string, state: 'well' | 'down'): RunEvent => ({
  type: 'backend',
  run: 'r',
  backend,
  state,
  ...(state === 'down' && { reason: `${backend}: connection refused.` }),
});

test('there is an estimate while some server works, and none while all are down or the run is paused', () => {
  const view = halfway();
  expect(render(view, 100)).toContain('ETA 1 min 0 s');
  see(view, health('auto', 'down'));
  expect(render(view, 100)).toContain('ETA');
  see(view, health('comfyui-long', 'down'));
  expect(render(view, 100)).not.toContain('ETA');
  see(view, health('auto', 'well'));
  expect(render(view, 100)).toContain('ETA');
  see(view, { type: 'run', run: 'demo-1', state: 'paused' });
  expect(render(view, 100)).not.toContain('ETA');
});

test('a pause spoils neither pace nor estimate', () => {
  const view = halfway();
  see(view, { type: 'run', run: 'demo-1', state: 'paused' });
  pass(3_600_000);
  see(view, { type: 'run', run: 'demo-1', state: 'running' });
  see(view, { type: 'run', run: 'demo-1', state: 'running' });
  totals(view, { accepted: 2 });
  expect(render(view, 100)).toContain('2.0 shots/min');
  pass(60_000);
  totals(view, { accepted: 3 });
  expect(render(view, 100)).toContain('1.5 shots/min');
  expect(render(view, 100)).toContain('ETA 40 s');
});

test.each([
  ['interrupted', { accepted: 2 }],
  ['completed', { accepted: 3, failed: 1 }],
  ['cancelled', { state: 'cancelled' as const, accepted: 2, cancelled: 2 }],
  ['paused', { state: 'paused' as const, accepted: 2 }],
])('the last frame says that the run is %s, without an estimate', (state, progress) => {
  const view = halfway();
  see(view, { type: 'generating', key: { run: 'demo-1', shot: 3, number: 1 }, backend: 'auto', prompt: 'p' });
  totals(view, progress);
  end(view);
  const frame = render(view, 100);
  expect(frame).toContain(`demo-1  ${state}  `);
  expect(frame).not.toContain('ETA');
  expect(frame).not.toContain('attempt 1');
});

test('on a narrow terminal a long name gives way, and a note is told to its end', () => {
  const view = halfway();
  const backend = 'forge-on-the-other-machine-with-a-long-name';
  const key = { run: 'demo-1', shot: 7, number: 1 };
  see(view, { type: 'progress', key, backend, share: 0.4 });
  see(view, {
    type: 'server-error',
    key,
    backend,
    message: `${backend}: the connection was refused: start it.`,
  });
  see(view, { type: 'progress', key, backend, share: 0.4 });
  const lines = render(view, 80).split('\n');
  expect(lines.every((line) => line.length <= 80)).toBe(true);
  expect(lines.find((line) => line.includes('forge'))).toMatch(
    /^ {2}forge-on-the-other-… .*shot 7, attempt 1: 40 %$/,
  );
  expect(lines.slice(-2).join('').replace(/\s+/g, ' ')).toContain(
    `${backend}: the connection was refused: start it.`,
  );
});

test('the servers stand in columns', () => {
  const view = halfway();
  const key = { run: 'demo-1', shot: 5, number: 2 };
  see(view, { type: 'generated', key, backend: 'auto', seconds: 1 });
  see(view, { type: 'progress', key, backend: 'comfyui-long', share: 0.4 });
  expect(render(view, 100).split('\n').slice(3)).toEqual([
    '  server        state  images  errors  at work on',
    '  auto          well        1       0',
    '  comfyui-long  well        0       0  shot 5, attempt 2: 40 %',
  ]);
});

test('a note that a server is down is followed by one that it is well', () => {
  const view = halfway();
  see(view, health('auto', 'down'));
  see(view, health('auto', 'well'));
  expect(render(view, 100).split('\n').slice(-2)).toEqual([
    '  ! auto is down: connection refused.',
    '  ! auto is well again',
  ]);
});

test('what repeats for each shot is one note with a count, no error, and leaves the dead server in sight', () => {
  const view = halfway();
  see(view, health('auto', 'down'));
  for (let shot = 1; shot <= 60; shot++) {
    const key = { run: 'demo-1', shot, number: 1 };
    const message = `comfyui-long: has no way to read "<lora:${shot}>" in a prompt.`;
    see(view, { type: 'refused', key, backend: 'comfyui-long', message });
    see(view, {
      type: 'server-error',
      key,
      backend: 'comfyui-long',
      message: 'comfyui-long: failed.',
    });
  }
  const frame = render(view, 100).split('\n');
  expect(frame.filter((line) => line.includes('  ! '))).toEqual([
    '  ! auto is down: connection refused.',
    expect.stringMatching(/has no way to read .* \(50 times\)$/),
    '  ! shot 60, attempt 1: comfyui-long: failed.',
  ]);
  expect(frame.find((line) => line.includes('comfyui-long  '))).toMatch(/comfyui-long +well +0 +60/);
});
