import { plural } from '../base/plural.js';
import { visible } from '../base/visible.js';
import { paceOf, WorkClock, type RunEvent, type RunProgress } from '../runtime/index.js';
import { openOf } from '../loop/index.js';
import { duration, percent, table } from './print.js';
import { isResting, kindOf, teller } from './tell.js';
import { wrap } from './wrap.js';

/** What the live display shows: folded from events, rendered as text. */
export interface View {
  run: string;
  state: string;
  shots: number;
  accepted: number;
  exhausted: number;
  failed: number;
  cancelled: number;
  attempts: number;
  rejected: number;
  clock: WorkClock;
  before: RunProgress | undefined;
  rate: { shotsPerMinute?: number; etaSeconds?: number };
  backends: Map<string, BackendView>;
  notes: string[];
  tell: (event: RunEvent) => string | undefined;
}

interface BackendView {
  state: string;
  /** What was told when it began to rest. */
  trouble?: string;
  images: number;
  errors: number;
  /** Attempt -> how far it is, 0 to 1. */
  working: Map<string, number>;
}

/** How many of the latest notes stay on screen. */
const maxNotes = 4;
/** Lines of one of them. */
const maxNoteLines = 4;
/** What the columns beside a server's name take, with one attempt that it is at work on. */
const besideName = 60;

export function emptyView(run: string, shots: number, backends: readonly string[]): View {
  return {
    run,
    state: 'starting',
    shots,
    accepted: 0,
    exhausted: 0,
    failed: 0,
    cancelled: 0,
    attempts: 0,
    rejected: 0,
    clock: new WorkClock(),
    before: undefined,
    rate: {},
    backends: new Map(
      backends.map((name) => [
        name,
        { state: 'well', images: 0, errors: 0, working: new Map<string, number>() },
      ]),
    ),
    notes: [],
    tell: teller(),
  };
}

/** Folds one event into the view. */
export function see(view: View, event: RunEvent): void {
  const words = view.tell(event);
  switch (event.type) {
    case 'run':
      view.state = event.state;
      if (event.state === 'paused') view.clock.stop();
      if (event.state === 'running') view.clock.goOn();
      break;
    case 'backend': {
      const server = backend(view, event.backend);
      server.state = event.state;
      if (isResting(event.state)) {
        if (words !== undefined) server.trouble = inOneLine(words);
        return;
      }
      if (server.trouble !== undefined) note(view, server.trouble);
      delete server.trouble;
      break;
    }
    case 'generating':
      backend(view, event.backend).working.set(nameOf(event.key), 0);
      break;
    case 'progress':
      backend(view, event.backend).working.set(nameOf(event.key), event.share);
      break;
    case 'generated': {
      const server = backend(view, event.backend);
      server.images++;
      server.working.delete(nameOf(event.key));
      break;
    }
    case 'server-error': {
      const server = backend(view, event.backend);
      server.errors++;
      server.working.delete(nameOf(event.key));
      break;
    }
    case 'refused':
      // It cannot do this one, which is no error.
      backend(view, event.backend).working.delete(nameOf(event.key));
      break;
    case 'retried':
    case 'due':
    case 'judged':
    case 'warning':
      break;
    case 'shot-ended':
      // The counts tell of the others.
      if (event.outcome !== 'failed') return;
      break;
    case 'totals': {
      const { state, accepted, exhausted, failed, cancelled, attempts, rejected, shots } = event.progress;
      Object.assign(view, { state, accepted, exhausted, failed, cancelled, attempts, rejected, shots });
      const before = (view.before ??= event.progress);
      view.rate = paceOf(event.progress, { clock: view.clock, before });
      break;
    }
  }
  if (words !== undefined) note(view, words);
}

/** Nothing more comes: the view says how the run stands now. */
export function end(view: View): void {
  if (view.state !== 'cancelled' && view.state !== 'paused') {
    view.state = openOf(view) === 0 ? 'completed' : 'interrupted';
  }
  for (const server of view.backends.values()) server.working.clear();
}

/** The view as lines of at most `width` characters. */
export function render(view: View, width: number): string {
  const done = view.accepted + view.exhausted + view.failed;
  const servers = table(
    ['server', 'state', 'images', 'errors', 'at work on'],
    [...view.backends].map(([name, { state, images, errors, working }]) => [
      cut(name, Math.max(12, width - besideName)),
      state,
      images,
      errors,
      [...working].map(([attempt, share]) => `${attempt}: ${percent(share)}`).join('; '),
    ]),
  );
  const lines = [
    `${view.run}  ${view.state}  ${bar(view.shots === 0 ? 0 : done / view.shots, 24)} ${done}/${plural(view.shots, 'shot')}`,
    `  accepted ${view.accepted}  rejected ${view.rejected}  exhausted ${view.exhausted}  failed ${view.failed}` +
      `  attempts ${view.attempts}`,
    `  ${paceLine(view)}`,
    ...servers.split('\n').map((line) => `  ${line}`),
    // What nobody sees to stays in sight, whatever comes after it.
    ...[...view.backends.values()].flatMap(({ trouble }) =>
      trouble === undefined ? [] : told(trouble, width),
    ),
    ...view.notes.flatMap((text) => told(text, width)),
  ];
  return lines
    .map(visible)
    .map((line) => cut(line, width))
    .join('\n');
}

/** A note in a few lines: what to do stands at its end. */
function told(text: string, width: number): string[] {
  const lines = wrap(`  ! ${visible(text)}`, width, '    ');
  return lines.length <= maxNoteLines
    ? lines
    : [
        ...lines.slice(0, maxNoteLines - 1),
        `    ${lines
          .slice(maxNoteLines - 1)
          .join(' ')
          .trim()}`,
      ];
}

const cut = (text: string, width: number): string =>
  text.length > width ? `${text.slice(0, width - 1)}…` : text;

function paceLine({ state, rate, attempts, accepted, backends }: View): string {
  const parts = [];
  if (rate.shotsPerMinute !== undefined) parts.push(`${rate.shotsPerMinute.toFixed(1)} shots/min`);
  if (accepted > 0) parts.push(`${(attempts / accepted).toFixed(2)} attempts per image`);
  // While nothing moves, it would only grow.
  const moves = state === 'running' && [...backends.values()].some((server) => !isResting(server.state));
  if (moves && rate.etaSeconds !== undefined) parts.push(`ETA ${duration(rate.etaSeconds)}`);
  return parts.join('  ') || (moves ? 'waiting for the first image' : 'no image yet');
}

function bar(share: number, width: number): string {
  const full = Math.round(share * width);
  return '█'.repeat(full) + '░'.repeat(width - full);
}

function nameOf({ shot, number }: { shot: number; number: number }): string {
  return `shot ${shot}, attempt ${number}`;
}

function backend(view: View, name: string): BackendView {
  let server = view.backends.get(name);
  if (!server) {
    server = { state: 'well', images: 0, errors: 0, working: new Map() };
    view.backends.set(name, server);
  }
  return server;
}

/** Adds a line to the latest notes; told again, with a count, it takes its own place. */
export function note(view: View, text: string): void {
  const line = inOneLine(text);
  const place = view.notes.findIndex((one) => kindOf(one) === kindOf(line));
  if (place >= 0) view.notes.splice(place, 1);
  view.notes.push(line);
  if (view.notes.length > maxNotes) view.notes.shift();
}

const inOneLine = (text: string): string => text.replace(/\s+/g, ' ');
