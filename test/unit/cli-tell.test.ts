import { expect, test } from 'vitest';
import { teller } from '../../src/cli/tell.js';
import type { RunEvent } from '../../src/runtime/index.js';

const lines = (...events: RunEvent[]): string[] =>
  events.map(teller()).filter((words): words is string => words !== undefined);

const failure = (shot: number, backend: string, message: string): RunEvent => ({
  type: 'server-error',
  key: { run: 'a', shot, number: 1 },
  backend,
  message: `${backend}: ${message}`,
});
const health = (state: 'well' | 'ailing' | 'down' | 'sick', reason?: string): RunEvent => ({
  type: 'backend',
  run: 'r',
  backend: 'auto',
  state,
  ...(reason !== undefined && { reason }),
});
const failed = (shot: number, reason: string): RunEvent => ({
  type: 'shot-ended',
  run: 'a',
  shot,
  outcome: 'failed',
  reason,
});

test('a server that falls ill is told of once, and that it is well again', () => {
  const events = [
    health('down', 'auto: connection refused.'),
    failure(1, 'auto', 'connection refused.'),
    health('well'),
  ];
  expect(lines(...events)).toEqual(['auto is down: connection refused.', 'auto is well again']);
});

test('a server that answers and fails every image is told of once, with what to do', () => {
  const events = [
    failure(1, 'auto', 'must be restarted (500: CUDA error).'),
    health('sick', 'auto: must be restarted (500: CUDA error).'),
    failure(2, 'auto', 'must be restarted (500: CUDA error).'),
    failure(3, 'auto', 'connection refused.'),
    health('well'),
  ];
  const [first, ...rest] = lines(...events);
  expect(first).toContain('shot 1, attempt 1');
  expect(rest).toEqual([
    expect.stringMatching(/auto answers, but fails every image: restart it.*CUDA error/),
    'auto is well again',
  ]);
});

test('of a server that stumbled, the attempt that it failed tells', () => {
  const events = [health('ailing', 'auto: timeout.'), failure(5, 'auto', 'timeout.'), health('well')];
  expect(lines(...events)).toEqual(['shot 5, attempt 1: auto: timeout.']);
});

test('a shot that fails for reasons that were told does not tell them again', () => {
  const events = [
    failure(1, 'auto', 'has no checkpoint $& x.'),
    failure(1, 'comfy', 'has no checkpoint y.'),
    failed(1, 'auto: has no checkpoint $& x; comfy: has no checkpoint y'),
    failed(2, 'auto: has no checkpoint $& x'),
  ];
  expect(lines(...events).slice(2)).toEqual([
    'shot 1 failed: no server can make it',
    'shot 2 failed: auto: has no checkpoint $& x',
  ]);
});

const refused = (shot: number, tag: string): RunEvent => ({
  type: 'refused',
  key: { run: 'a', shot, number: 1 },
  backend: 'comfy',
  message: `comfy: has no way to read "<lora:${tag}>" in a prompt: add a LoraLoader node.`,
});

test('a warning that repeats for each shot is told once, and then with a count', () => {
  const events = Array.from({ length: 120 }, (_, shot) => refused(shot, `ink:0.${shot}`));
  const told = lines(...events);
  expect(told[0]).toBe('comfy: has no way to read "<lora:ink:0.0>" in a prompt: add a LoraLoader node.');
  expect(told.slice(1).map((words) => /\((\d+) times\)$/.exec(words)?.[1])).toEqual([
    '2',
    '5',
    '10',
    '20',
    '50',
    '100',
  ]);
});

test('warnings about different things are each told', () => {
  const warning = (message: string): RunEvent => ({ type: 'warning', code: 'repair-dropped', message });
  const messages = [
    'gpu1 is left out: no checkpoint "a"',
    'gpu2 is left out: no checkpoint "a"',
    '3.2 is made anew instead of repaired: x',
    'gpu1 is left out: no checkpoint "b"',
  ];
  expect(lines(...messages.map(warning), warning('4.1 is made anew instead of repaired: x'))).toEqual([
    ...messages,
    '4.1 is made anew instead of repaired: x (2 times)',
  ]);
});

test('a shot that fails for a reason that was counted and not told says it', () => {
  const { message } = refused(3, 'b') as { message: string };
  const events = [refused(1, 'a'), refused(2, 'a'), refused(3, 'b'), failed(3, message)];
  expect(lines(...events).slice(1)).toEqual([
    expect.stringContaining('"<lora:a>" in a prompt'),
    `shot 3 failed: ${message}`,
  ]);
});

test('a shot that ends is told with its file', () => {
  const end: RunEvent = { type: 'shot-ended', run: 'a', shot: 3, outcome: 'accepted', published: 'p1/3.png' };
  expect(lines(end)).toEqual(['shot 3 accepted: p1/3.png']);
});

test('one reason for many shots is told once', () => {
  const reason = 'auto: no checkpoint "a" (it has b)';
  expect(lines(failed(1, reason), failed(2, reason), failed(3, 'another'), failed(9, reason))).toEqual([
    `shot 1 failed: ${reason}`,
    'shot 2 failed, as shot 1',
    'shot 3 failed: another',
    'shot 9 failed, as shot 1',
  ]);
});
