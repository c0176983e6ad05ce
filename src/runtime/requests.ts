import { z } from 'zod';
import type { Json } from '../loop/index.js';

/** What a line on the control socket may ask: the service's methods, each with its arguments. */
const run = z.string().min(1).max(200);
const env = z.record(z.string(), z.string());
const set = z.array(z.string()).max(1000).default([]);
const place = z.int().min(0);

export const request = z.discriminatedUnion('operation', [
  z.object({ operation: z.literal('submit'), pipeline: z.custom<Json>(), set, file: z.string(), env }),
  z.object({ operation: z.literal('resume'), run: run.optional(), env }),
  z.object({
    operation: z.literal('retry'),
    run: run.optional(),
    which: z.enum(['failed', 'exhausted', 'failed or exhausted', 'missing']),
    shots: z
      .array(z.tuple([place, place]))
      .max(10_000)
      .optional(),
    attempts: z.int().min(1).max(1000).optional(),
    set,
    cwd: z.string(),
    env,
  }),
  z.object({ operation: z.literal('runs') }),
  z.object({ operation: z.literal('status'), run: run.optional() }),
  z.object({ operation: z.literal('past'), file: z.string() }),
  z.object({ operation: z.literal('missing'), run }),
  z.object({ operation: z.literal('report'), run: run.optional() }),
  z.object({ operation: z.literal('summary'), run }),
  z.object({ operation: z.literal('pause'), run: run.optional() }),
  z.object({ operation: z.literal('unpause'), run: run.optional() }),
  z.object({ operation: z.literal('cancel'), run: run.optional() }),
  z.object({ operation: z.literal('shots'), run, from: place, limit: z.int().min(0).max(1000) }),
  z.object({ operation: z.literal('attempt'), run, shot: place, number: place }),
  z.object({ operation: z.literal('servers') }),
  z.object({ operation: z.literal('history'), run, after: place, limit: z.int().min(0).max(10_000) }),
  z.object({ operation: z.literal('events'), run, after: place }),
]);

/** One line of JSON there. */
export type Request = z.output<typeof request>;

/** Lines of JSON back: any number of records, then the result or the error. Then the connection ends. */
export type Reply = { record: unknown } | { result: unknown } | { error: { name: string; message: string } };
