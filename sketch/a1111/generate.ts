import { HttpAnswer, proxyPage, send, sendHtml, type Call } from '../http.js';
import type { Fault } from '../types.js';
import { develop, drawSample, grid, type Sample } from './develop.js';
import { illegalAccess, outOfMemory } from './cuda.js';
import type { JobKind } from './family/index.js';
import type { Request } from './fields.js';
import { writeInfotext } from './infotext.js';
import { planJob, type Job } from './job.js';
import type { Webui } from './webui.js';

/** txt2img and img2img: one at a time, behind the lock. A client that goes away changes nothing. */
export async function generate(webui: Webui, kind: JobKind, request: Request, call: Call): Promise<void> {
  const { studio, gpu } = webui.life;
  studio.asked();
  const fault = studio.plan.next(request.number('seed'), String(request.values['prompt']));
  const { family } = webui;
  if (fault === 'rate-limited' && !family.isSdNext) {
    throw new HttpAnswer(429, { detail: 'Too Many Requests' }, { 'retry-after': '1' });
  }
  const job = planJob(webui, kind, request, fault);
  const release = studio.hold(job.taskId);
  webui.tasks.pending.add(job.taskId);
  try {
    // Drawn while others hold the lock, so that drawing does not add to the latency.
    const samples = Promise.all(job.seeds.map((seed) => drawSample(webui, job, seed)));
    samples.catch(() => undefined); // whoever waits for it below meets its failure
    const { done, timestamp } = await gpu.exclusive(async () => {
      const done = await sampling(webui, job, samples, fault, call);
      // Read with the lock held, as the real server does: the next job sets its own.
      return { done, timestamp: webui.state.jobTimestamp };
    });
    if (!request.flag('override_settings_restore_afterwards')) webui.keep(request.dict('override_settings'));
    if (fault === 'hang') return;
    if (fault === 'html') {
      sendHtml(call.response, 200, proxyPage);
      return;
    }
    if (fault === 'rate-limited') {
      throw family.failure(429, 'HTTPException', `127.0.0.1:/sdapi/v1/${kind}: rate limit exceeded`);
    }
    const infotexts = job.seeds.map((seed) =>
      writeInfotext(job.prompt, job.negative, family.settings(job, seed)),
    );
    const images = await Promise.all(
      done.map((sample, index) => develop(job, sample, infotexts[index] ?? '', fault)),
    );
    const info = family.processed(job, timestamp, infotexts);
    const isHalfDone = done.some(({ share }) => share < 1);
    if (isHalfDone && family.isSdNext) Object.assign(info, { infotexts: [...infotexts, ...infotexts] });
    if (request.flag('save_images') && webui.options['return_grid'] === true && images.length > 1) {
      images.unshift(await grid(images, infotexts[0] ?? ''));
      Object.assign(info, { index_of_first_image: 1, infotexts: [infotexts[0], ...infotexts] });
    }
    send(call.response, 200, {
      images: request.flag('send_images') ? images.map((image) => image.toString('base64')) : [],
      parameters: echo(kind, request),
      info: JSON.stringify(info),
    });
  } finally {
    webui.tasks.pending.delete(job.taskId);
    release();
  }
}

/** Lets each image's time pass, with the lock held; ends early when somebody interrupts. */
async function sampling(
  webui: Webui,
  job: Job,
  samples: Promise<Sample[]>,
  fault: Fault | undefined,
  call: Call,
): Promise<Sample[]> {
  const { state, tasks } = webui;
  const { studio, gpu } = webui.life;
  gpu.isPoisoned ||= fault === 'poisoned';
  const failing = fault === 'error' || fault === 'out-of-memory' || fault === 'interrupted' || gpu.isPoisoned;
  const ms = studio.options.latencyMs * job.batchSize * (fault === 'slow' ? 5 : failing ? 0.5 : 1);
  const done: Sample[] = [];
  state.begin(`scripts_${job.kind}`);
  state.jobCount = job.iterations;
  tasks.start(job.taskId);
  studio.events.emit('started', job.taskId);
  // Not waited for before the clock runs: drawing is part of the latency.
  void samples.then(([first]) => (state.picture = first?.drawing.pixels)).catch(() => undefined);
  try {
    await gpu.load(job.checkpoint);
    for (let iteration = 0; iteration < job.iterations && !state.interrupted; iteration++) {
      state.samplingSteps = job.steps;
      const share = await gpu.work(ms, (work) => (state.work = work));
      if (failsMidway(webui, fault, call)) return [];
      if (fault === 'interrupted') state.interrupt();
      const reached = fault === 'interrupted' ? 0.5 : share;
      const first = iteration * job.batchSize;
      for (const sample of (await samples).slice(first, first + job.batchSize)) {
        studio.made(job.taskId);
        done.push({ ...sample, share: reached });
      }
      state.jobNo++;
    }
    tasks.finish(job.taskId);
    return done;
  } finally {
    state.end();
  }
}

/** Meets the faults that end a job. True: SD.Next hides the failure and answers without images. */
function failsMidway({ family, state, life }: Webui, fault: Fault | undefined, call: Call): boolean {
  if (fault === 'disconnect') call.request.socket.destroy();
  const { isPoisoned } = life.gpu;
  if (fault !== 'out-of-memory' && fault !== 'error' && !isPoisoned) return false;
  if (family.isSdNext) {
    state.interrupted = true;
    return true;
  }
  if (isPoisoned) throw family.failure(500, 'RuntimeError', '', illegalAccess);
  if (fault === 'out-of-memory') throw family.failure(500, 'OutOfMemoryError', '', outOfMemory);
  const errors =
    'Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu!';
  throw family.failure(500, 'RuntimeError', '', errors);
}

/** The request as the server repeats it; init images only when asked for. */
function echo(kind: JobKind, request: Request): Record<string, unknown> {
  const hidden =
    kind === 'img2img' && !request.flag('include_init_images') ? { init_images: null, mask: null } : {};
  return { ...request.values, ...hidden };
}
