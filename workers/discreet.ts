import type { Backend } from '../src/backends/index.js';
import { toError } from '../src/errors.js';
import { hideInImage } from '../src/images/index.js';
import type { ImageRequest, Repair } from '../src/loop/index.js';
import { hider, putIntoRepair, putIntoRequest, type Environment, type Hider } from '../src/pipeline/index.js';

/**
 * `backend` for requests in which `${NAME}` stands for environment variables: they are put in when it is asked, and are
 * `${NAME}` again in all that comes back: what was sent, the picture's texts, the words of errors.
 */
export function discreet(backend: Backend, environment: Environment): Pick<Backend, 'missing' | 'generate'> {
  if (environment.size === 0) return backend;
  const guard = async <T>(
    request: ImageRequest,
    repair: Repair | undefined,
    ask: (hider: Hider) => Promise<T>,
  ): Promise<T> => {
    const hiding = hider(request, repair, environment);
    try {
      return await ask(hiding);
    } catch (thrown) {
      const error = toError(thrown);
      error.message = hiding.hide(error.message);
      throw error;
    }
  };
  return {
    missing: (request, signal, repair) =>
      guard(request, repair, async ({ hide }) => {
        const filled = repair && putIntoRepair(repair, environment);
        const lacks = await backend.missing(putIntoRequest(request, environment), signal, filled);
        return lacks.map((lack) => ({ ...lack, asked: hide(lack.asked) }));
      }),
    generate: (job, signal) =>
      guard(job.request, job.repair?.repair, async (hiding) => {
        const request = putIntoRequest(job.request, environment);
        const repair = job.repair && {
          ...job.repair,
          repair: putIntoRepair(job.repair.repair, environment),
        };
        const generated = await backend.generate({ ...job, request, ...(repair && { repair }) }, signal);
        const { sent, settings, image } = generated;
        return {
          ...generated,
          sent: mapTexts(sent, hiding.hide) as typeof sent,
          settings: mapTexts(settings, hiding.hide) as typeof settings,
          image: hideInImage(image, hiding),
        };
      }),
  };
}

function mapTexts(value: unknown, map: (text: string) => string): unknown {
  if (typeof value === 'string') return map(value);
  if (Array.isArray(value)) return value.map((item) => mapTexts(item, map));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapTexts(item, map)]));
}
