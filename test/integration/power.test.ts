import { afterAll, beforeAll, describe, it } from 'vitest';
import { canCut, record, type Recorded } from '../power/power.js';

/** `npm run test:power` makes 200. */
const cuts = 2;

describe.runIf(canCut())('a power cut', () => {
  let recorded: Recorded;
  beforeAll(async () => {
    recorded = await record(6);
  });
  afterAll(() => recorded.remove());

  it('loses nothing that was told, whatever the disk had still to write', async () => {
    const seed = Date.now();
    for (let cut = 0; cut < cuts; cut++) await recorded.cut(seed + cut);
    await recorded.resume();
  });
});
