import { once } from 'node:events';
import { expect, it } from 'vitest';
import { RunEvents, type RunEvent } from '../../src/runtime/events.js';

const event: RunEvent = { type: 'run', run: 'a-1', state: 'running' };

it.each([
  [
    'throws',
    () => {
      throw new Error('a broken display');
    },
  ],
  [
    'throws what is no error',
    () => {
      // eslint-disable-next-line @typescript-eslint/only-throw-error
      throw 'a broken display';
    },
  ],
  ['rejects', () => Promise.reject(new Error('a broken display'))],
] as [string, () => void][])(
  'a listener that %s breaks nothing: the others hear, and it is logged',
  async (_, listener) => {
    const events = new RunEvents();
    const heard: RunEvent[] = [];
    events.listen((told) => heard.push(told));
    events.listen(listener);
    events.listen((told) => heard.push(told));
    const logged = once(process, 'warning');
    events.emit(event);
    expect(heard).toEqual([event, event]);
    expect(await logged).toEqual([expect.objectContaining({ message: 'a broken display' })]);
  },
);

it('who stops listening hears nothing more', () => {
  const events = new RunEvents();
  const heard: RunEvent[] = [];
  const stop = events.listen((told) => heard.push(told));
  events.emit(event);
  stop();
  events.emit(event);
  expect(heard).toEqual([event]);
});
