import type { LabelScore } from '../base/scores.js';

/**
 * The vocabulary of the loop. Settings keep the spelling of the pipeline file and of
 * AUTOMATIC1111's API (`cfg_scale`, `negative_prompt`), so that a word is the same in the YAML,
 * in a ladder's `adjust`, in the ledger and in the manifest.
 */

export type { LabelScore, Scores } from '../base/scores.js';

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

/**
 * One image that a server is asked for. What is left out stays as the server's side has it: the workflow's value
 * on ComfyUI, reroll's default or the server's own on A1111's family.
 */
export interface ImageRequest {
  prompt: string;
  negative_prompt?: string;
  /** 0 to 2^32 - 1: every server takes that range, and JSON keeps it exact. */
  seed: number;
  /** Pixels. */
  width?: number;
  /** Pixels. */
  height?: number;
  steps?: number;
  cfg_scale?: number;
  /** Names are the server's own. */
  sampler?: string;
  scheduler?: string;
  checkpoint?: string;
  vae?: string;
  clip_skip?: number;
  /** 0 to 1; only for img2img and hires. */
  denoising_strength?: number;
  styles?: string[];
  tiling?: boolean;
  restore_faces?: boolean;
  /** Absolute path of a picture to start from (img2img). */
  init_image?: string;
  /** Absolute path of a mask, white = repaint (inpainting; needs init_image). */
  mask?: string;
  hires?: HiresSettings;
  /** Fields that go to an A1111-family server as they are, over ours. */
  a1111?: { [field: string]: Json };
  /** Inputs that go into a ComfyUI workflow as they are: `"12.inputs.strength": 0.8`. */
  comfyui?: { [input: string]: Json };
  /** What the ladder changes of settings that are left out, in order, one each: it counts from the server's side's values. */
  adjust?: Adjust[];
}

/** A1111's hires fix: generate small, upscale, refine. */
export interface HiresSettings {
  scale: number;
  upscaler?: string;
  steps?: number;
  denoising_strength?: number;
}

/** One image that is wanted: a prompt and all that the pipeline says about it. */
export interface Shot {
  /** 1-based place in the run: the order in which the pipeline names it. */
  index: number;
  /** The prompt's name in file names: its `name`, or `p` and its 1-based place. */
  prompt: string;
  request: ImageRequest;
  /** -1000 to 1000; larger goes first. */
  priority: number;
  /** Only backends that have all of these tags may serve the shot. */
  tags: string[];
}

/** A kind of server. */
export type BackendKind = 'a1111' | 'comfyui';

/** One rule of the gate. */
export type GateRule = {
  /** Globs over the model's labels. */
  labels: string[];
  /** From this summed probability up to `threshold` the candidate is not sure enough to accept: it is put aside for review. */
  review?: number;
} & (
  | {
      kind: 'share';
      /** Reject from this summed probability of the matching labels on. */
      threshold: number;
    }
  | {
      /** Reject when the most probable label matches. */
      kind: 'top';
      /** And only from this summed probability on. */
      threshold?: number;
    }
);

/** Those of a kind. */
export type Of<Union extends { kind: string }, Kind extends Union['kind']> = Extract<Union, { kind: Kind }>;

export type Decision = 'accept' | 'review' | 'reject';

export interface Verdict {
  decision: Decision;
  /** The rule that fired, in words: `*Bad_Anatomy 0.83 >= 0.5`. Absent when accepted. */
  rule?: string;
  /** Summed probability of all labels that any rule names, 0 to 1: the lower, the better the candidate. */
  rejected: number;
  /** Every label, most probable first. */
  scores: readonly LabelScore[];
}

/** A ladder's `adjust`: setting -> new value; numbers also as changes; prompts also by `_append`, `_prepend`, `_replace`. */
export interface Adjust {
  [setting: string]: Json;
}

/** What changes from one attempt to the next. */
export type Rung = {
  /** How many attempts in a row use this rung; the last rung repeats anyway. Default 1. */
  times?: number;
} & ({ kind: 'new_seed' } | { kind: 'adjust'; adjust: Adjust } | { kind: 'repair'; repair: Repair });

/** Repairs the last candidate instead of throwing it away. */
export type Repair =
  | { with: 'adetailer'; model?: string; prompt?: string; denoising_strength?: number; confidence?: number }
  | { with: 'workflow'; workflow: string; bindings?: { [name: string]: string } };

export interface RetryPolicy {
  /** Attempts a shot may use, the first one included. */
  attempts: number;
  /** Attempts the whole run may use. Left out: no bound beside each shot's. */
  run_attempts?: number;
  ladder: Rung[];
  on_exhausted: 'keep_best' | 'discard' | 'review';
}

/** The attempts of a shot that was asked for again after its end: numbers go on, and the ladder is climbed anew. */
export interface Round {
  /** The last attempt before it. */
  after: number;
  /** Attempts that it may use. */
  attempts: number;
}

export type Outcome = 'accepted' | 'exhausted' | 'failed' | 'cancelled';
export type RunState = 'running' | 'paused' | 'completed' | 'cancelled';

/** What happens to a shot after a verdict: decided by `advance()`, made true by one transaction of the ledger. */
export type Step =
  /** Generate again: attempt `number + 1`. `repair`: repair this attempt's candidate instead of starting anew. */
  | { kind: 'retry'; request: ImageRequest; repair?: Repair }
  /** The run's budget may or may not reach this shot: nothing to do until others have ended. */
  | { kind: 'wait' }
  /** The shot is over. `keep` is the attempt to publish, or with `review` the one to lay before a person. */
  | { kind: 'end'; outcome: 'accepted' | 'exhausted'; keep?: number; review?: boolean };
