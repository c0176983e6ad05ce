import type { SketchChunk } from '../png.js';

/** An image between nodes: pixels, and what is known about them if they are a drawing. */
export interface Picture {
  pixels: Buffer;
  sketch?: SketchChunk;
}

/** What a node's output holds, by ComfyUI's type names. Pictures are promises: they are drawn while time passes. */
export type Value =
  | { type: 'MODEL'; checkpoint: string }
  | { type: 'CLIP' | 'VAE' | 'MASK' | 'SAMPLER' | 'CONTROL_NET' }
  | { type: 'CONDITIONING'; text: string; guidance?: number }
  | Latent
  | { type: 'IMAGE'; pictures: Promise<Picture>[] }
  | { type: 'NOISE'; seed: number }
  | { type: 'GUIDER'; checkpoint: string; positive: string; negative: string; cfg: number }
  | { type: 'SIGMAS'; steps: number; denoise: number };

export interface Latent {
  type: 'LATENT';
  width: number;
  height: number;
  batch: number;
  /** What the latent is of; absent in an empty one. */
  pictures?: Promise<Picture>[];
  /** True where a sampler made it, not an encoder. */
  sampled: boolean;
}

export type ValueOf<T extends Value['type']> = Extract<Value, { type: T }>;

/** A node's inputs with its links replaced by the values that they lead to. */
export class Inputs {
  readonly #values: Readonly<Record<string, unknown>>;

  constructor(values: Readonly<Record<string, unknown>>) {
    this.#values = values;
  }

  has(name: string): boolean {
    return this.#values[name] !== undefined;
  }

  text(name: string): string {
    const value = this.#values[name];
    return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
  }

  number(name: string): number {
    return Number(this.#values[name] ?? 0);
  }

  /** A seed of up to 64 bits, as a number or a string, as a number that JavaScript holds exactly. */
  seed(name: string): number {
    const value = this.text(name);
    return /^\d+$/.test(value) ? Number(BigInt.asUintN(53, BigInt(value))) : Math.trunc(Number(value));
  }

  /** @throws TypeError where the input leads to something else: validation has been passed by. */
  value<T extends Value['type']>(name: string, type: T): ValueOf<T> {
    const value = this.#values[name] as Value | undefined;
    if (value?.type !== type) throw new TypeError(`'NoneType' object is not a ${type}`);
    return value as ValueOf<T>;
  }
}
