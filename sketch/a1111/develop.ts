import sharp from 'sharp';
import { halfDenoised, sizeOf, spoiled, truncated } from '../pictures.js';
import { addText, readTruth } from '../png.js';
import { drawn, drawRepaired, repairPicture, type Drawn } from '../repair.js';
import type { Fault } from '../types.js';
import { drawRequest, type Job } from './job.js';
import type { Webui } from './webui.js';

/** One image of a job: drawn ahead, and how much of it was denoised. */
export interface Sample extends Drawn {
  seed: number;
  share: number;
}

/** Draws one image of a job: new, repaired, or as it was given. */
export async function drawSample(webui: Webui, job: Job, seed: number): Promise<Sample> {
  const { draw, options } = webui.life.studio;
  const request = drawRequest(job, seed, options.badRate);
  const sample = (picture: Drawn): Sample => ({ ...picture, seed, share: 1 });
  const repairs = job.detailer?.hands === true;
  if (job.initImage === undefined || job.detailer?.skipImg2img !== true) {
    return sample(await (repairs ? drawRepaired : drawn)(draw, request));
  }
  const known = readTruth(job.initImage);
  if (repairs) return sample(await repairPicture(draw, job.initImage, known, request));
  // Nothing was found in it, a face for example: it comes back unchanged.
  const truth = known?.truth ?? (await draw(request)).truth;
  return sample({ drawing: { pixels: job.initImage, truth }, request: known?.request ?? request });
}

/** The finished file: pixels, infotext, and the truth. */
export async function develop(
  job: Job,
  sample: Sample,
  parameters: string,
  fault: Fault | undefined,
): Promise<Buffer> {
  const { drawing, request, seed, share } = sample;
  const { pixels: whole } = drawing;
  const pixels = share < 1 ? await halfDenoised(whole, share) : await spoiled(whole, fault);
  const chunk = { truth: drawing.truth, prompt: request.prompt, seed, remoteId: job.taskId, request };
  const png = addText(pixels, { parameters, sketch: JSON.stringify(chunk) });
  return fault === 'truncated' ? truncated(png) : png;
}

/** All images of a job side by side, with the infotext of the first. */
export async function grid(images: readonly Buffer[], parameters: string): Promise<Buffer> {
  const { width, height } = await sizeOf(images[0] ?? Buffer.alloc(0));
  const sheet = sharp({ create: { width: width * images.length, height, channels: 3, background: 'black' } });
  const placed = images.map((input, index) => ({ input, left: index * width, top: 0 }));
  return addText(await sheet.composite(placed).png().toBuffer(), { parameters });
}
