import type { RunEvent, RunRecord, Service } from '../runtime/index.js';
import { printJson, writeOut } from './print.js';
import { retried } from './tell.js';

const page = 1_000;

/** Prints what is kept of a run's events, oldest first: a line each, or with `json` an object each. */
export async function printEvents(service: Service, run: string, json: boolean): Promise<void> {
  for (let after = 0; ;) {
    const records = await service.history(run, { after, limit: page });
    for (const record of records) {
      if (json) printJson(record);
      else await writeOut(`${line(record)}\n`);
    }
    const last = records.at(-1)?.sequence;
    if (last === undefined) return;
    after = last;
  }
}

function line({ sequence, at, event }: RunRecord): string {
  return `${sequence ?? ''}  ${at}  ${event.type}  ${words(event)}`.trimEnd();
}

function words(event: RunEvent): string {
  switch (event.type) {
    case 'run':
      return event.state;
    case 'retried':
      return retried(event);
    case 'backend':
      return [event.backend, event.state, event.reason].filter(Boolean).join(' ');
    case 'generating':
      return `${nameOf(event.key)} at ${event.backend}`;
    case 'generated':
      return `${nameOf(event.key)} at ${event.backend} in ${event.seconds.toFixed(1)} s`;
    case 'server-error':
    case 'refused':
      return `${nameOf(event.key)}: ${event.message}`;
    case 'judged': {
      const { decision, rule } = event.verdict;
      return `${nameOf(event.key)} ${decision}${rule === undefined ? '' : `: ${rule}`}`;
    }
    case 'shot-ended':
      return [`shot ${event.shot} ${event.outcome}`, event.published, event.reason]
        .filter(Boolean)
        .join(': ');
    case 'warning':
      return event.message;
    // Passing events are not kept.
    case 'due':
    case 'progress':
    case 'totals':
      return '';
  }
}

const nameOf = ({ shot, number }: { shot: number; number: number }) => `shot ${shot}, attempt ${number}`;
