import type { Artist } from '../../types.js';
import type { Files } from '../files.js';
import type { Inputs, Value } from '../values.js';

/** `["INT", { default, min, max }]`, a type's name alone, or a list of choices: an input as /object_info gives it. */
export type InputSpec = readonly [string | readonly string[], Readonly<Record<string, unknown>>?];

/** What nodes work with. */
export interface Workshop {
  draw: Artist;
  badRate: number;
  checkpoints: readonly string[];
  files: Files;
}

/** What a node that takes time will do: one latency for each image. */
export interface Sampling {
  checkpoint: string;
  steps: number;
  images: number;
}

/** One class of node. */
export interface NodeType {
  display: string;
  category: string;
  required: Readonly<Record<string, InputSpec>>;
  optional?: Readonly<Record<string, InputSpec>>;
  output: readonly string[];
  outputNames?: readonly string[];
  /** Where an output node puts its images. */
  saves?: 'output' | 'temp';
  /** Present on nodes that keep the GPU busy. */
  samples?: (inputs: Inputs) => Sampling;
  /** Makes the outputs without letting time pass. */
  run: (inputs: Inputs, workshop: Workshop) => Value[];
  /** Why the inputs are refused though each is of the right type, as `[input, reason]`. */
  refuses?: (inputs: Inputs, workshop: Workshop) => readonly [string, string] | undefined;
  /** What besides the inputs decides on the outputs. */
  fingerprint?: (inputs: Inputs, workshop: Workshop) => string;
}

export type NodeTypes = Readonly<Record<string, NodeType>>;

export const int = (fallback: number, min: number, max: number, more: object = {}): InputSpec => [
  'INT',
  { default: fallback, min, max, ...more },
];

export const float = (fallback: number, min: number, max: number, step = 0.01): InputSpec => [
  'FLOAT',
  { default: fallback, min, max, step },
];

export const text: InputSpec = ['STRING', { multiline: true, dynamicPrompts: true }];

export const seed: InputSpec = ['INT', { default: 0, min: 0, max: 2 ** 64, control_after_generate: true }];

/** Sides of images in pixels. */
export const side = (fallback: number): InputSpec => int(fallback, 16, 16384, { step: 8 });
