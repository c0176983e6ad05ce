import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FaultPlan, faultsOf } from '../faults.js';
import { Gpu, ServerGone, type Work } from '../gpu.js';
import { writeInfotext } from '../a1111/infotext.js';
import { luck, pick } from '../luck.js';

describe('luck', () => {
  it('is the same for the same keys, and spread evenly over different ones', () => {
    const draws = Array.from({ length: 2000 }, (_, index) => luck('test', index));
    expect(draws).toEqual(draws.map((_, index) => luck('test', index)));
    for (const [low, high] of [
      [0, 0.25],
      [0.25, 0.5],
      [0.5, 0.75],
      [0.75, 1],
    ] as const) {
      const share = draws.filter((draw) => draw >= low && draw < high).length / draws.length;
      expect(share).toBeGreaterThan(0.2);
      expect(share).toBeLessThan(0.3);
    }
    expect(new Set(draws.map((_, index) => pick(['a', 'b', 'c'], index)))).toEqual(new Set(['a', 'b', 'c']));
  });
});

describe('a plan of faults', () => {
  it('meets the asked share, in the same places each time', () => {
    const meet = (): (string | undefined)[] => {
      const plan = new FaultPlan('comfyui', 0.05, []);
      return Array.from({ length: 2000 }, (_, seed) => plan.next(seed));
    };
    const met = meet();
    const share = met.filter((fault) => fault !== undefined).length / met.length;
    expect(share).toBeGreaterThan(0.03);
    expect(share).toBeLessThan(0.07);
    expect(meet()).toEqual(met);
  });

  it('leaves out what a client cannot notice soon, unless it is named', () => {
    const plan = new FaultPlan('a1111', 1, []);
    const met = new Set(Array.from({ length: 500 }, (_, seed) => plan.next(seed)));
    expect(met).not.toContain('hang');
    expect(met.size).toBe(faultsOf.a1111.length - 4);
    plan.set(1, ['hang']);
    expect(plan.next(0)).toBe('hang');
  });

  it('gives named faults to the next generations in turn', () => {
    const plan = new FaultPlan('a1111', 0, []);
    plan.push('black');
    plan.push('slow');
    expect([plan.next(1), plan.next(1), plan.next(1)]).toEqual(['black', 'slow', undefined]);
  });
});

describe('the one GPU', () => {
  const open = () => {
    const gone = new AbortController();
    return { gone, gpu: new Gpu('a', 0, gone.signal) };
  };

  it('serves in the order of arrival, one at a time, also past a failure', async () => {
    const { gpu } = open();
    const order: string[] = [];
    const step = (name: string) => async (): Promise<void> => {
      order.push(`${name} begins`);
      await gpu.work(1, () => undefined);
      order.push(`${name} ends`);
      if (name === 'b') throw new Error('b fails');
    };
    const results = await Promise.allSettled(['a', 'b', 'c'].map((name) => gpu.exclusive(step(name))));
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(order).toEqual(['a', 'b', 'c'].flatMap((name) => [`${name} begins`, `${name} ends`]));
  });

  it('stops work as it stands', async () => {
    const { gpu } = open();
    let work: Work | undefined;
    const share = gpu.work(60_000, (now) => (work = now));
    work?.stop();
    expect(await share).toBeLessThan(1);
  });

  it('drops what works and what waits when the server goes', async () => {
    const { gpu, gone } = open();
    const working = gpu.exclusive(() => gpu.work(60_000, () => undefined));
    const waiting = gpu.exclusive(() => gpu.work(0, () => undefined));
    gone.abort();
    await expect(working).rejects.toThrow(ServerGone);
    await expect(waiting).rejects.toThrow(ServerGone);
  });
});

describe('the infotext', () => {
  it('gives back every setting that was written, whatever it contains', () => {
    const value = fc.string({ unit: 'grapheme-ascii', minLength: 1 }).map((text) => `x${text.trim()}`);
    fc.assert(
      fc.property(value, (setting) => {
        // A value in quotes of its own is the one thing that the real grammar cannot tell apart.
        fc.pre(!setting.startsWith('"') && !/^\d+x\d+$/.test(setting) && setting !== 'Model');
        const text = writeInfotext('a hand', 'blurry', { Steps: 20, Sampler: 'Euler', Model: setting });
        expect(readInfotext(text)).toMatchObject({
          Prompt: 'a hand',
          'Negative prompt': 'blurry',
          Steps: '20',
          Model: setting.trim(),
        });
      }),
    );
  });

  it('takes a last line with fewer than three settings as part of the prompt', () => {
    expect(readInfotext('a hand\nSteps: 20')).toEqual({ Prompt: 'a hand\nSteps: 20', 'Negative prompt': '' });
  });
});

const setting = /\s*([\p{L}\p{N}_][\p{L}\p{N}_ \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)/gu;

/** The settings of an infotext by name, `Prompt` and `Negative prompt` among them, as a server's own reader finds them. */
function readInfotext(text: string): Record<string, string> {
  const lines = text.trim().split('\n');
  const last = lines.at(-1) ?? '';
  const hasSettings = [...last.matchAll(setting)].length >= 3;
  const words: { prompt: string[]; negative: string[] } = { prompt: [], negative: [] };
  let into = words.prompt;
  for (const line of hasSettings ? lines.slice(0, -1) : lines) {
    const trimmed = line.trim();
    if (trimmed.startsWith('Negative prompt:')) into = words.negative;
    into.push(trimmed.replace(/^Negative prompt:\s*/, ''));
  }
  const settings: Record<string, string> = {
    Prompt: words.prompt.join('\n'),
    'Negative prompt': words.negative.join('\n'),
  };
  if (!hasSettings) return settings;
  for (const [, key = '', value = ''] of last.matchAll(setting)) {
    const size = /^(\d+)x(\d+)$/.exec(value);
    if (size) {
      settings[`${key}-1`] = size[1] ?? '';
      settings[`${key}-2`] = size[2] ?? '';
    } else {
      settings[key] = unquote(value);
    }
  }
  return settings;
}

function unquote(value: string): string {
  if (!value.startsWith('"') || !value.endsWith('"')) return value;
  try {
    return String(JSON.parse(value));
  } catch {
    return value;
  }
}
