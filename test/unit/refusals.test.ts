import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { refusalOfPostgres, refusalOfRedis } from '../../src/base/refusals.js';
import { Trouble } from '../../src/base/trouble.js';
import { StorageError } from '../../src/errors.js';
import { databaseError } from '../../src/ledger/failure.js';
import { Patience } from '../../src/ledger/patience.js';

const withCode = (code: string, message = 'x') => Object.assign(new Error(message), { code });

/** As query builders and queues wrap what a driver throws. */
const wrapped = (cause: unknown) => new Error('Failed query: select 1', { cause });

describe('a PostgreSQL that refuses for a while', () => {
  it.each([
    [withCode('57P01'), /restarted/],
    [withCode('57P03'), /starting/],
    [withCode('53300'), /max_connections/],
    [withCode('25006'), /no writes/],
    [withCode('53100'), /full/],
    [new Error('could not extend file: No space left on device'), /full/],
    [withCode('08006'), /does not answer/],
    [withCode('40P01'), /two processes/],
    [withCode('ECONNREFUSED'), /does not answer/],
    [new Error('Connection terminated unexpectedly'), /does not answer/],
    [new Error('timeout exceeded when trying to connect'), /does not answer/],
    [new AggregateError([withCode('ECONNREFUSED', 'connect ECONNREFUSED ::1:5432')]), /does not answer/],
  ])('is known by %s, and however it is wrapped', (error, why) => {
    expect(refusalOfPostgres(error)).toMatch(why);
    expect(refusalOfPostgres(wrapped(wrapped(error)))).toMatch(why);
    expect(databaseError(wrapped(error))).toBeInstanceOf(StorageError);
  });

  it.each([withCode('23505'), withCode('42601'), new TypeError('x is not a function'), 'a text', undefined])(
    'is no bug: %s',
    (bug) => {
      expect(refusalOfPostgres(bug)).toBeUndefined();
      expect(refusalOfPostgres(wrapped(bug))).toBeUndefined();
      expect(databaseError(wrapped(bug))).not.toBeInstanceOf(StorageError);
    },
  );

  it('is looked for in causes that go round in a circle, too', () => {
    const error = new Error('a');
    error.cause = new Error('b', { cause: error });
    expect(refusalOfPostgres(error)).toBeUndefined();
  });
});

describe('a Redis that refuses for a while', () => {
  it.each([
    ['MISCONF Redis is configured to save RDB snapshots, but it is currently not able to persist', /save/],
    ["READONLY You can't write against a read only replica.", /replica/],
    [
      'UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)',
      /replica/,
    ],
    ['LOADING Redis is loading the dataset in memory', /loading/],
    ["OOM command not allowed when used memory > 'maxmemory'.", /maxmemory/],
    [
      "ERR Error running script (call to f_1): @user_script:3: @user_script: 3: -OOM command not allowed when used memory > 'maxmemory'.",
      /maxmemory/,
    ],
    ['CLUSTERDOWN The cluster is down', /other servers/],
    ["MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", /other servers/],
    ['NOREPLICAS Not enough good replicas to write.', /other servers/],
    ['BUSY Redis is busy running a script.', /busy/],
    ['ERR max number of clients reached', /maxclients/],
    ['Connection is closed.', /does not answer/],
    ["Stream isn't writeable and enableOfflineQueue options is false", /does not answer/],
    ['Command timed out', /does not answer/],
  ])('is known by %s, and however it is wrapped', (message, why) => {
    expect(refusalOfRedis(new Error(message))).toMatch(why);
    expect(refusalOfRedis(wrapped(new Error(message)))).toMatch(why);
    const discarded = new Error('EXECABORT Transaction discarded because of previous errors.');
    expect(refusalOfRedis(Object.assign(discarded, { previousErrors: [new Error(message)] }))).toMatch(why);
  });

  it.each(['ERR unknown command', 'WRONGTYPE Operation against a key', 'x is not a function', 'BUSYGROUP x'])(
    'is no bug: %s',
    (message) => expect(refusalOfRedis(new Error(message))).toBeUndefined(),
  );
});

describe('trouble with a server', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  const told: string[] = [];
  let trouble: Trouble;
  beforeEach(() => {
    told.length = 0;
    trouble = new Trouble('Redis at x', (message) => told.push(message));
  });

  it('is told once when it begins, in however many ways it shows, and once when it is over', () => {
    for (const why of ['is stopping', 'does not answer', 'is stopping', 'is loading']) trouble.begin(why);
    trouble.end();
    trouble.end();
    expect(told).toEqual([
      'Redis at x is stopping. Waiting until it is well again; nothing is lost.',
      'Redis at x is well again.',
    ]);
  });

  it('that comes and goes is told once a minute', () => {
    for (let second = 0; second < 119; second++) {
      trouble.begin('does not answer');
      vi.advanceTimersByTime(500);
      trouble.end();
      vi.advanceTimersByTime(500);
    }
    expect(told).toHaveLength(4);
  });

  it('that becomes another is told of after a minute', () => {
    trouble.begin('is stopping');
    vi.advanceTimersByTime(61_000);
    trouble.begin('has a disk that is full');
    trouble.begin('has a disk that is full');
    expect(told).toHaveLength(2);
  });
});

describe('waiting for a database', () => {
  const until = new AbortController();

  it('asks again until it answers, tells once, and gives the answer', async () => {
    const told: string[] = [];
    const patience = new Patience(new Trouble('PostgreSQL', (message) => told.push(message)));
    patience.last(until.signal);
    let asked = 0;
    const answer = await patience.keep(async () => {
      if (++asked < 4) throw withCode('57P01');
      return 'yes';
    });
    expect([answer, asked, told.length]).toEqual(['yes', 4, 2]);
  });

  it('does not ask again what fails for another reason, or where nobody waits any more', async () => {
    const patience = new Patience(new Trouble('PostgreSQL', () => undefined));
    let asked = 0;
    const refused = () => patience.keep(async () => Promise.reject(withCode('57P01', `asked ${++asked}`)));
    await expect(refused()).rejects.toThrow('asked 1');
    const end = new AbortController();
    patience.last(end.signal);
    await expect(patience.keep(() => Promise.reject(new TypeError('a bug')))).rejects.toThrow('a bug');
    const waiting = expect(refused()).rejects.toThrow(/asked/);
    end.abort();
    await waiting;
    await expect(refused()).rejects.toThrow(/asked/);
  });
});
