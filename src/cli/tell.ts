import { plural } from '../base/plural.js';
import type { RunEvent } from '../runtime/index.js';

/** How often what repeats has happened when it is told again. */
const milestone = /^[125]0*$/;
/** So many, since a server may give each shot a reason of its own. */
const rememberedReasons = 100;

/**
 * Makes the words for what people should hear of, each thing once, and at times how often it has happened since;
 * undefined where there is nothing to say.
 */
export function teller(): (event: RunEvent) => string | undefined {
  const states = new Map<string, string>();
  /** Shot -> what servers have said of it since its last image. */
  const told = new Map<number, Set<string>>();
  const remember = (shot: number, message: string): void => {
    told.set(shot, (told.get(shot) ?? new Set()).add(sentence(message)));
  };
  /** Kind of warning -> how often it came. */
  const times = new Map<string, number>();
  const counted = (words: string): string | undefined => {
    const kind = kindOf(words);
    const count = (times.get(kind) ?? 0) + 1;
    if (times.size > 1000) times.clear();
    times.set(kind, count);
    if (count === 1) return words;
    return milestone.test(`${count}`) ? withCount(words, count) : undefined;
  };
  /** Why shots failed, with the first of each: a word that is wrong in all prompts is told once. */
  const reasons = new Map<string, number>();

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
        remember(key.shot, message);
        return `shot ${key.shot}, attempt ${key.number}: ${message}`;
      }
      case 'refused': {
        const words = counted(event.message);
        if (words !== undefined) remember(event.key.shot, event.message);
        return words;
      }
      case 'shot-ended': {
        const { shot, outcome, published, reason } = event;
        const errors = told.get(shot);
        told.delete(shot);
        const why =
          reason !== undefined && errors && isAll(errors, reason) ? 'no server can make it' : reason;
        const first = reason !== undefined && why === reason ? reasons.get(reason) : undefined;
        if (first !== undefined) return `shot ${shot} ${outcome}, as shot ${first}`;
        if (reason !== undefined && reasons.size < rememberedReasons) reasons.set(reason, shot);
        return [`shot ${shot} ${outcome}`, published, why].filter(Boolean).join(': ');
      }
      case 'retried':
        return retried(event);
      case 'warning':
        return counted(event.message);
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

/**
 * What warnings of one kind have in common: not the attempt that they are about, nor what one of its prompt's tags
 * says. `3.2 is made anew` and `4.1 is made anew` are of one kind.
 */
export const kindOf = (words: string): string =>
  words
    .replace(counts, '')
    .replace(/^shot \d+, attempt \d+: /, '')
    .replace(/"<[^"]*>"/g, '"<>"')
    .replace(/\b\d+\.\d+(?= is made anew)/g, '');

const withCount = (words: string, count: number): string => `${words} (${count} times)`;
const counts = / \(\d+ times\)$/;

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
