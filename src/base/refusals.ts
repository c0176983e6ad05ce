import { systemCode, toError } from '../errors.js';

/**
 * What a database's or a queue's server says when it refuses for a while: it is restarted, a fail-over is under way, a
 * disk or a memory is full. None of it is a bug, and whoever waits can go on. Drivers and queues wrap such errors, so
 * their causes are looked at too.
 */

/** The network's codes, and what clients say that give no code. */
const lostCode = /^(ECONN|EPIPE|ETIMEDOUT|EHOST|ENET|ENOTFOUND|EAI_|EADDRNOTAVAIL|EMFILE|ENFILE)/;
const lostMessage =
  /^(Connection (terminated|is closed|ended)|Client (has encountered a connection error|was closed)|timeout exceeded when trying to connect|Query read timeout|Command timed out|Stream isn't writeable|Reached the max retries per request)/i;

/** Nothing came back, or the connection is lost. */
export const noAnswer = 'does not answer';
const fullDisk = 'has a disk that is full: free some space there';

/** SQLSTATE -> why. https://www.postgresql.org/docs/current/errcodes-appendix.html */
const ofPostgres: readonly (readonly [RegExp, string])[] = [
  [/^53100$/, fullDisk],
  [/^53300$/, 'has no connection left: raise its max_connections, or end other programs that hold some'],
  [/^53...$/, 'is short of memory or another resource'],
  [/^25006$/, 'takes no writes: it is a stand-by, or set to read-only'],
  [/^57P0[123]$/, 'is starting, stopping or being restarted'],
  [/^(57(P05|014)|25P0[34])$/, 'ended a connection or a query'],
  [/^(40(001|P01)|55P03)$/, 'broke off what was written by two processes at a time'],
  [/^08...$/, noAnswer],
];

/** The first word of Redis's errors -> why. https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors */
const ofRedis: readonly (readonly [RegExp, string])[] = [
  [/MISCONF/, 'cannot save its data, and so takes no writes: see its log and its disk'],
  [/READONLY|UNBLOCKED/, 'is a replica that takes no writes: a fail-over, or the URL names the wrong server'],
  [/LOADING/, 'is loading its data'],
  [/OOM/, 'has a full memory: raise its maxmemory, or free some'],
  [/CLUSTERDOWN|MASTERDOWN|TRYAGAIN|NOREPLICAS/, 'waits for other servers of its cluster'],
  [/BUSY/, 'is busy with a script'],
];
/** At the beginning, or behind what a script's error is wrapped in. */
const wordOfRedis =
  /(?:^|[\s:-])(MISCONF|READONLY|UNBLOCKED|LOADING|OOM|CLUSTERDOWN|MASTERDOWN|TRYAGAIN|NOREPLICAS|BUSY)\s/;

/** Why PostgreSQL refuses for a while, as what follows its name; undefined for any other error. */
export function refusalOfPostgres(thrown: unknown): string | undefined {
  return firstOf(thrown, (error) => {
    const code = systemCode(error) ?? '';
    if (code === 'ENOSPC' || /no space left on device/i.test(error.message)) return fullDisk;
    if (isLost(error)) return noAnswer;
    return ofPostgres.find(([pattern]) => pattern.test(code))?.[1];
  });
}

/** Why Redis refuses for a while, as what follows its name; undefined for any other error. */
export function refusalOfRedis(thrown: unknown): string | undefined {
  return firstOf(thrown, (error) => {
    if (isLost(error)) return noAnswer;
    if (error.message.includes('max number of clients'))
      return 'has no connection left: raise its maxclients';
    const word = wordOfRedis.exec(error.message)?.[1];
    return word && ofRedis.find(([pattern]) => pattern.test(word))?.[1];
  });
}

const isLost = (error: Error): boolean =>
  lostCode.test(systemCode(error) ?? '') || lostMessage.test(error.message);

/** Causes may go round in a circle, or be many. */
const deepest = 20;

function firstOf(thrown: unknown, rule: (error: Error) => string | undefined): string | undefined {
  const errors = [thrown];
  for (let place = 0; place < errors.length && place < deepest; place++) {
    const error = toError(errors[place]);
    const found = rule(error);
    if (found !== undefined) return found;
    if (error.cause !== undefined && error.cause !== thrown) errors.push(error.cause);
    if (error instanceof AggregateError) errors.push(...(error.errors as unknown[]));
    // Why a transaction of Redis was discarded.
    if ('previousErrors' in error && Array.isArray(error.previousErrors))
      errors.push(...(error.previousErrors as unknown[]));
  }
  return undefined;
}
