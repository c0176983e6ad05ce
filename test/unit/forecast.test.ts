import { describe, expect, it } from 'vitest';
import { describeForecast, foresee } from '../../src/cli/forecast.js';

const past = {
  run: 'hands-3',
  attempts: 200,
  accepted: 100,
  servers: [
    { backend: 'fast', images: 150, seconds: 4 },
    { backend: 'slow', images: 50, seconds: 8 },
    { backend: 'sold', images: 1, seconds: 1 },
  ],
};

function forecastOf(names: string[], { attempts = 20, accepted = past.accepted, most = Infinity } = {}) {
  const backends = names.map((name) => ({ name, slots: 2 }));
  const pipeline = { backends, retry: { attempts } } as unknown as Parameters<typeof foresee>[1];
  return foresee({ ...past, accepted }, pipeline, { shots: 1000, most });
}

describe('what a run will take if it goes as an earlier one did', () => {
  it('is its attempts at the pace of all servers, each as fast as its slots were emptied', () => {
    // An image every 2 s and every 4 s: 3 in 4 s.
    const found = forecastOf(['fast', 'slow']);
    expect(found).toMatchObject({ accepted: 0.5, attempts: 2000, unknown: [] });
    expect(found.seconds).toBeCloseTo((2000 * 4) / 3);
    expect(found.serverSeconds).toBeCloseTo((2 * 2000 * 4) / 3);
    expect(describeForecast(found)).toBe(
      'If it goes as hands-3 went (50 % of its images accepted, one every 2.0 s from fast, one every 4.0 s from slow): ' +
        'about 2000 attempts, 44 min 27 s, 1 h 28 min of server time.\n',
    );
  });

  it('is bounded by the budgets, of a shot and of the run', () => {
    expect(forecastOf(['fast'], { attempts: 1 }).attempts).toBe(1000);
    expect(forecastOf(['fast'], { attempts: 4, accepted: 0 }).attempts).toBe(4000);
    expect(forecastOf(['fast'], { most: 1200 }).attempts).toBe(1200);
  });

  it('names the servers that it knows nothing of, and gives no time where it knows none', () => {
    expect(describeForecast(forecastOf(['fast', 'new']))).toContain('It did not have new: not counted.');
    const words = describeForecast(forecastOf(['new']));
    expect(words).toBe(
      'If it goes as hands-3 went (50 % of its images accepted): about 2000 attempts. It did not have new: not counted.\n',
    );
  });
});
