import { describe, expect, it } from 'vitest';
import { redact, RerollError, registerSecret } from '../../src/errors.js';

describe('a password that is a word', () => {
  registerSecret('reroll');

  it('hides no word of a message', () => {
    const message =
      'reroll: the database "reroll" of user reroll does not answer; `reroll resume` goes on, see .reroll/ and reroll.json';
    expect(new RerollError(message).message).toBe(message);
  });

  it.each([
    ['postgres://reroll:reroll@db/reroll', 'postgres://***@db/reroll'],
    ['redis://:reroll@cache:6379', 'redis://***@cache:6379'],
    ['http://reroll@host/', 'http://***@host/'],
    ['password=reroll host=db', 'password=*** host=db'],
    ['{"password": "reroll", "user": "reroll"}', '{"password": "***", "user": "reroll"}'],
    ['?token=reroll&run=reroll', '?token=***&run=reroll'],
    ['API-Key: reroll', 'API-Key: ***'],
    ['Authorization: Bearer reroll', 'Authorization: Bearer ***'],
  ])('is hidden where a secret stands: %s', (text, hidden) => {
    expect(redact(text)).toBe(hidden);
  });
});

describe('a secret that is no word', () => {
  it('is hidden wherever it stands by itself', () => {
    registerSecret('hunter2');
    expect(redact('said hunter2, "hunter2" and hunter22')).toBe('said ***, "***" and hunter22');
  });

  it('is hidden inside of longer runs too where it is long', () => {
    registerSecret('c2VjcmV0OmtleQ==');
    expect(redact('xc2VjcmV0OmtleQ==y')).toBe('x***y');
  });

  it('of letters alone is hidden as a whole from ten on', () => {
    registerSecret('correcthorse');
    expect(redact('correcthorse correcthorses')).toBe('*** correcthorses');
  });

  it('is hidden whole where another secret is part of it', () => {
    registerSecret('pass-12');
    registerSecret('someone:pass-12');
    expect(redact('someone:pass-12')).toBe('***');
  });
});

it('a password in a URL is hidden up to the last @ of its host', () => {
  expect(redact('see http://u:p@ss@host/a@b and https://x:y@h')).toBe(
    'see http://***@host/a@b and https://***@h',
  );
  expect(redact('http://host:80/a user@mail:x ssh://git@host')).toBe(
    'http://host:80/a user@mail:x ssh://git@host',
  );
});
