import { randomUUID } from 'node:crypto';
import type { Work } from '../gpu.js';

/** AUTOMATIC1111's shared.state: one for the whole server, whoever asks. */
export class WebuiState {
  interrupted = false;
  job = '';
  jobCount = 0;
  jobNo = 0;
  jobTimestamp = '0';
  samplingSteps = 0;
  startedAt = 0;
  work: Work | undefined;
  /** The drawing that the live preview shows. */
  picture: Buffer | undefined;

  begin(job: string): void {
    this.interrupted = false;
    this.job = job;
    this.jobCount = -1;
    this.jobNo = 0;
    this.samplingSteps = 0;
    this.jobTimestamp = new Date().toISOString().replace(/\D/g, '').slice(0, 14);
    this.startedAt = performance.now();
  }

  end(): void {
    this.job = '';
    this.jobCount = 0;
    this.work = undefined;
    this.picture = undefined;
  }

  /** Ends the work under way as it stands. While idle it only sets a flag, which `begin` clears. */
  interrupt(): void {
    this.interrupted = true;
    this.work?.stop();
  }

  get samplingStep(): number {
    return Math.floor((this.work?.share() ?? 0) * this.samplingSteps);
  }

  /** 0 to 1 over all images of the job. */
  share(): number {
    if (this.jobCount <= 0) return 0;
    const within = this.samplingSteps > 0 ? this.samplingStep / this.samplingSteps : 0;
    return Math.min(1, (this.jobNo + within) / this.jobCount);
  }

  elapsedSeconds(): number {
    return (performance.now() - this.startedAt) / 1000;
  }

  json(): Record<string, unknown> {
    return {
      skipped: false,
      interrupted: this.interrupted,
      stopping_generation: false,
      job: this.job,
      job_count: this.jobCount,
      job_timestamp: this.jobTimestamp,
      job_no: this.jobNo,
      sampling_step: this.samplingStep,
      sampling_steps: this.samplingSteps,
    };
  }
}

/** The tasks of /internal/progress. A task that throws is never finished and stays current, as in the real server. */
export class Tasks {
  current: string | undefined;
  readonly pending = new Set<string>();
  readonly #finished: string[] = [];

  static newId(kind: string): string {
    return `task(${kind}-${randomUUID().replaceAll('-', '').slice(0, 7).toUpperCase()})`;
  }

  start(id: string): void {
    this.current = id;
    this.pending.delete(id);
  }

  finish(id: string): void {
    if (this.current === id) this.current = undefined;
    this.#finished.push(id);
    if (this.#finished.length > 16) this.#finished.shift();
  }

  isFinished(id: string): boolean {
    return this.#finished.includes(id);
  }
}
