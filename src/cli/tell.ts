import type { RunEvent } from '../runtime/index.js';
import { plural } from './print.js';

/** Makes the words for what people should hear of, each thing once; undefined where there is nothing to say. */
export function teller(): (event: RunEvent) => string | undefined {
  const states = new Map<string, string>();
  /** Shot -> what servers have said of it since its last image. */
  const told = new Map<number, Set<string>>();

  return (event) => {
    switch (event.type) {
      case 'backend': {
        const { backend, state, reason = '' } = event;
        const before = states.get(backend);
        states.set(backend, state);
        // Of a server that is only ailing, the request that failed tells.
        if (state === 'ailing') return undefined;
        if (state === 'well') return before === 'ailing' ? undefined : `${backend} is well again`;
        const words = without(`${backend}: `, reason);
        if (state === 'down') return `${backend} is down: ${words}`;
        return `${backend} answers, but fails every image: restart it. One image at a time tries whether it is well again, and no attempt is used up. It says: ${words}`;
      }
      case 'generated':
        told.delete(event.key.shot);
        return undefined;
      case 'server-error': {
        const { key, backend, message } = event;
        // Why it rests has been said.
        if (isResting(states.get(backend))) return undefined;
        told.set(key.shot, (told.get(key.shot) ?? new Set()).add(sentence(message)));
        return `shot ${key.shot}, attempt ${key.number}: ${message}`;
      }
      case 'shot-ended': {
        const { shot, outcome, published, reason } = event;
        const errors = told.get(shot);
        told.delete(shot);
        const why =
          reason !== undefined && errors && isAll(errors, reason) ? 'no server can make it' : reason;
        return [`shot ${shot} ${outcome}`, published, why].filter(Boolean).join(': ');
      }
      case 'retried':
        return retried(event);
      case 'warning':
        return event.message;
      case 'run':
      case 'due':
      case 'generating':
      case 'progress':
      case 'judged':
      case 'totals':
        return undefined;
    }
  };
}

export function retried({ shots, attempts, changed }: Extract<RunEvent, { type: 'retried' }>): string {
  const settings = changed.length > 0 ? `, with ${changed.join(', ')}` : '';
  return `${plural(shots, 'shot')} tried again, up to ${plural(attempts, 'attempt')} each${settings}`;
}

/** Nothing is made there until it is well again. */
export const isResting = (state: string | undefined): boolean => state === 'down' || state === 'sick';

/** Whether a reason says no more than these errors. */
function isAll(errors: Set<string>, reason: string): boolean {
  const rest = [...errors].reduce((left, error) => left.replace(error, ''), reason);
  return /^[.;\s]*$/.test(rest);
}

const without = (start: string, text: string): string =>
  text.startsWith(start) ? text.slice(start.length) : text;

const sentence = (message: string): string => message.replace(/\.$/, '');
