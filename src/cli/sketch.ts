import { startSketchServer } from '../../sketch/index.js';
import { exitCodes } from './exit.js';
import { warn } from './print.js';
import { listenForInterrupts } from './signals.js';

export interface SketchFlags {
  port: number;
  protocol: 'a1111' | 'comfyui';
  latency: number;
  badRate: number;
  fail: number;
  auth?: string;
}

/** Starts a sketch server, and ends it by Ctrl-C. */
export async function sketch(flags: SketchFlags): Promise<number> {
  const { port, protocol, latency, badRate, fail, auth } = flags;
  const server = await startSketchServer({
    port,
    protocol,
    latencyMs: latency,
    badRate,
    failRate: fail,
    ...(auth !== undefined && { auth }),
  });
  warn(
    `A sketch server with ${protocol === 'a1111' ? "AUTOMATIC1111's API" : "ComfyUI's API"} is at ${server.url}. ` +
      'It draws; it is no diffusion model. Ctrl-C stops it.',
  );
  const { drain } = listenForInterrupts().signals;
  await new Promise((resolve) => drain.addEventListener('abort', resolve));
  await server.close();
  return exitCodes.done;
}
