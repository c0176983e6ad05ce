import type { Drawing, DrawRequest } from './drawing/index.js';

/** Who draws. The server's tests put a quick stand-in here. */
export type Artist = (request: DrawRequest) => Promise<Drawing>;

export type Protocol = 'a1111' | 'comfyui';

/** Which member of AUTOMATIC1111's family the server speaks like. */
export type Flavour = 'a1111' | 'forge' | 'reforge' | 'sdnext';

export const allFaults = [
  /** Takes five times as long. */
  'slow',
  /** A1111: the work is done and the answer never leaves. ComfyUI: runs without end until it is interrupted. */
  'hang',
  /** HTTP 500 in the server's own form. */
  'error',
  /** CUDA breaks: this generation and all that come after it fail, until the server is restarted. Every page answers. */
  'poisoned',
  /** CUDA out of memory, in the server's own form (SD.Next: 200 without images). */
  'out-of-memory',
  /** The PNG breaks off. */
  'truncated',
  /** The picture is all black. */
  'black',
  /** The picture is all grey: NaNs that were made numbers. */
  'grey',
  /** The picture is the same for every prompt and seed. */
  'stuck',
  /** An HTML page where JSON should be. */
  'html',
  /** The connection breaks; the work goes on. */
  'disconnect',
  /** Somebody pressed interrupt: A1111 answers 200 with a half-denoised picture. */
  'interrupted',
  /** HTTP 429; SD.Next sends it after the work. */
  'rate-limited',
  /** A1111 only: another sampler, checkpoint or seed than was asked for, and no word about it. */
  'substituted',
  /** ComfyUI only: accepts the prompt and forgets it. */
  'lost',
  /** ComfyUI only: accepts the prompt and never starts it, nor any behind it, until it is deleted. */
  'zombie',
  /** ComfyUI only: the socket says nothing about this prompt. */
  'mute-socket',
  /** ComfyUI only: the socket sends frames that mean nothing. */
  'garbage-socket',
  /** ComfyUI only: a node throws. */
  'execution-error',
] as const;

export type Fault = (typeof allFaults)[number];

export interface SketchOptions {
  protocol: Protocol;
  /** Only for A1111. */
  flavour: Flavour;
  /** 0: any free port. */
  port: number;
  host: string;
  /** How long one image takes, drawing included, from the moment its work starts. */
  latencyMs: number;
  /** 0 to 1: how often a drawn hand is bad. */
  badRate: number;
  /** 0 to 1: the share of generations that meet a fault. */
  failRate: number;
  /** Which faults they meet. Empty: all but hang, zombie, substituted, poisoned and stuck. */
  faults: readonly Fault[];
  /** `user:password`: asks for HTTP Basic where the real server does. */
  auth?: string | undefined;
  checkpoints: readonly string[];
  /** How long it takes to load another checkpoint than the loaded one. */
  reloadMs: number;
}

export interface SketchStats {
  /** How long the "GPU" worked, checkpoint loading included. */
  busyMs: number;
  /** Images generated. */
  images: number;
  /** Generations asked for. */
  requests: number;
  /** The most generations held at once, running or waiting. */
  maxHeld: number;
  /** Images generated for each remote id: A1111's force_task_id, ComfyUI's prompt_id. */
  generated: Readonly<Record<string, number>>;
}

export interface SketchEvents {
  /** A generation arrived and waits for the lock. */
  queued: [remoteId: string];
  /** A generation got the lock. */
  started: [remoteId: string];
  /** A generation ended, however it ended. */
  finished: [remoteId: string];
}

export interface SketchServer {
  readonly url: string;
  readonly port: number;
  readonly protocol: Protocol;
  /** Ends at once: whatever is running or waiting is dropped. */
  close(): Promise<void>;
  /** Ends at once and comes back on the same port, having forgotten queue and history. Stats are kept. */
  restart(): Promise<void>;
  stats(): SketchStats;
  /** From now on this share of generations meets these faults. */
  setFaults(rate: number, faults: readonly Fault[]): void;
  /** The very next generation meets this fault. Called several times: the next ones in turn. */
  nextFault(fault: Fault): void;
  /** From now on each generation with these words in its prompt meets this fault. */
  faultFor(words: string, fault: Fault): void;
  once<E extends keyof SketchEvents>(event: E, listener: (...args: SketchEvents[E]) => void): void;
}

/** Said on every surface of the server. */
export const plainly = 'sketch: drawings of hands, not a diffusion model';

/** The version that infotexts, stats and pages carry. */
export const version = 'sketch 1.0 (a drawing and not a diffusion model)';
