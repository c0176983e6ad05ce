import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError, StorageError, toError } from '../../src/errors.js';
import { storageError } from '../../src/base/storage.js';
import { databaseError } from '../../src/ledger/failure.js';
import { openLedger, readLock } from '../../src/ledger/index.js';
import { toJsonb } from '../../src/ledger/json.js';

const withCode = (code: string, message = 'x') => Object.assign(new Error(message), { code });

describe('a failure of the disk', () => {
  it.each([
    ['ENOSPC', /disk is full/],
    ['EDQUOT', /quota/],
    ['EACCES', /no permission/],
    ['EROFS', /read-only/],
  ])('of kind %s is said plainly', (code, words) => {
    const error = toError(storageError('use', '/state/.reroll', withCode(code)));
    expect(error).toBeInstanceOf(StorageError);
    expect(error.message).toMatch(words);
    expect(error.message).toContain('/state/.reroll');
  });

  it('that is none stays what it is', () => {
    const bug = new TypeError('x is not a function');
    expect(storageError('use', '/state', bug)).toBe(bug);
    const invalid = withCode('ERR_INVALID_ARG_TYPE');
    expect(storageError('use', '/state', invalid)).toBe(invalid);
  });
});

describe('a failure of the database', () => {
  it('that is a full disk is said plainly', () => {
    expect(databaseError(withCode('53100')).message).toMatch(/disk .* is full/);
    expect(databaseError(new Error('could not write: No space left on device'))).toBeInstanceOf(StorageError);
  });

  it.each(['08006', '57P01', 'ECONNRESET'])('to answer (%s) is one of storage', (code) => {
    expect(databaseError(withCode(code))).toBeInstanceOf(StorageError);
  });

  it('that is a bug stays what it is', () => {
    const bug = withCode('23505', 'duplicate key');
    expect(databaseError(bug)).toBe(bug);
    const invalid = withCode('ERR_INVALID_ARG_TYPE');
    expect(databaseError(invalid)).toBe(invalid);
  });
});

describe('a database server that cannot be used', () => {
  let home: string;
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'reroll-ledger-'));
  });
  afterEach(() => rm(home, { recursive: true }));

  it('is named without its password, and the folder is given back', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((listening) => server.once('listening', listening));
    const { port } = server.address() as { port: number };
    await new Promise((closed) => server.close(closed));

    const opening = openLedger({ home, databaseUrl: `postgres://reroll:s3cret%40pw@127.0.0.1:${port}/db` });
    await expect(opening).rejects.toThrow(ConfigError);
    await expect(opening).rejects.toThrow(`postgres://***@127.0.0.1:${port}/db`);
    await expect(opening).rejects.not.toThrow('s3cret');
    expect(await readLock(home)).toBeUndefined();
  });

  it('is refused at once when its URL is none', async () => {
    await expect(openLedger({ home, databaseUrl: 'localhost db' })).rejects.toThrow(
      /looks like postgres:\/\/USER@HOST/,
    );
  });
});

describe('JSON for the database', () => {
  it('is left as it is, but for what PostgreSQL refuses', () => {
    const fine = { text: 'a "quoted" \\u0000 \\ud800 😀', seed: 4_294_967_295, list: [1.5, null, true] };
    expect(toJsonb(fine)).toBe(JSON.stringify(fine));
    expect(JSON.parse(toJsonb({ 'k\0': ['a\0b', '\udfff'], fine }))).toEqual({
      'k\uFFFD': ['a\uFFFDb', '\uFFFD'],
      fine,
    });
  });
});
