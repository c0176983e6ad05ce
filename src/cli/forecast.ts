import { plural } from '../base/plural.js';
import { RerollError } from '../errors.js';
import { attemptsPerShot } from '../loop/index.js';
import type { Pipeline } from '../pipeline/index.js';
import { homeOf, needHome, withService, type Past } from '../runtime/index.js';
import { duration, percent, warn } from './print.js';

/** What a run will take if it goes as an earlier one of its file did. */
export interface Forecast {
  run: string;
  /** The share of its attempts that was accepted, 0 to 1. */
  accepted: number;
  attempts: number;
  /** Until the end, with all servers at work. Absent where it had none of them. */
  seconds?: number;
  /** Of all servers together. */
  serverSeconds?: number;
  /** Those of its servers that are in the pipeline now, and how often each gave an image. */
  servers: { name: string; secondsPerImage: number }[];
  /** Servers that it did not have. */
  unknown: string[];
}

/** How many shots there are, and the most attempts that they may use together. */
interface Size {
  shots: number;
  most: number;
}

/** Undefined where no earlier run of the file is known. */
export async function forecast(pipeline: Pipeline, size: Size): Promise<Forecast | undefined> {
  const home = homeOf(process.env, pipeline.file);
  const isThere = await needHome(home, process.env).then(
    () => true,
    () => false,
  );
  if (!isThere) return undefined;
  try {
    const past = await withService(home, (service) => service.past(pipeline.file), warn);
    return past && foresee(past, pipeline, size);
  } catch (error) {
    // What a run would do can be told without it.
    if (!(error instanceof RerollError)) throw error;
    warn(`How earlier runs went is not known: ${error.message}`);
    return undefined;
  }
}

/** A server that is kept busy hands out `slots` images in the time that one of them takes. */
export function foresee(
  past: Past,
  { backends, retry }: Pick<Pipeline, 'backends' | 'retry'>,
  { shots, most }: Size,
): Forecast {
  const accepted = past.accepted / past.attempts;
  const attempts = Math.min(most, Math.round(shots * attemptsPerShot(accepted, retry.attempts)));
  const served = new Map(past.servers.map(({ backend, seconds }) => [backend, seconds]));
  const servers = backends.flatMap(({ name, slots }) => {
    const seconds = served.get(name);
    return seconds === undefined ? [] : [{ name, secondsPerImage: seconds / slots }];
  });
  const perSecond = servers.reduce((sum, { secondsPerImage }) => sum + 1 / secondsPerImage, 0);
  const seconds = attempts / perSecond;
  return {
    run: past.run,
    accepted,
    attempts,
    ...(servers.length > 0 && { seconds, serverSeconds: seconds * servers.length }),
    servers,
    unknown: backends.map(({ name }) => name).filter((name) => !served.has(name)),
  };
}

export function describeForecast({ run, accepted, servers, unknown, ...all }: Forecast): string {
  const paces = servers.map(
    ({ name, secondsPerImage }) => `one every ${secondsPerImage.toFixed(1)} s from ${name}`,
  );
  const known = [`${percent(accepted)} of its images accepted`, ...paces].join(', ');
  const times =
    all.seconds === undefined || all.serverSeconds === undefined
      ? []
      : [duration(all.seconds), `${duration(all.serverSeconds)} of server time`];
  const total = [`about ${plural(all.attempts, 'attempt')}`, ...times].join(', ');
  const rest = unknown.length > 0 ? ` It did not have ${unknown.join(', ')}: not counted.` : '';
  return `If it goes as ${run} went (${known}): ${total}.${rest}\n`;
}
