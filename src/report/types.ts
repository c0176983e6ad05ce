import type { ImageRequest, Outcome, Repair, Verdict } from '../loop/index.js';

/** An attempt as the manifest and the report need it; the ledger's Attempt fits. */
export interface ReportAttempt {
  number: number;
  request: ImageRequest;
  repair?: Repair;
  backend?: string;
  serverErrors: number;
  lastError?: string;
  candidate?: {
    sha256: string;
    width: number;
    height: number;
    format: string;
    unchanged?: true;
    /** The seed that the server used. */
    seed: number;
    /** What was sent for settings that the request left out. */
    settings?: unknown;
    server: unknown;
    seconds: number;
  };
  verdict?: Verdict;
  model?: unknown;
  createdAt: Date;
  generatedAt?: Date;
  judgedAt?: Date;
}

/** A shot with its attempts in order; the ledger's ShotRecord fits. */
export interface ReportShot {
  /** 1-based place in the run. */
  index: number;
  /** The prompt's name. */
  prompt: string;
  request: ImageRequest;
  outcome?: Outcome;
  /** Why it failed. */
  reason?: string;
  /** The attempt that was published or laid aside for review. */
  kept?: number;
  /** Path of the published file below the run's folder. */
  published?: string;
  attempts: ReportAttempt[];
}
