import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJson } from '../../src/net/index.js';

describe('JSON of a server', () => {
  it('is read as JSON.parse reads it, or refused as there', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(parseJson(JSON.stringify(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...'{ } [ ] " , \\ : 1 - N I a'.split(' '), ' ') }),
        (text) => {
          expect(outcome(() => parseJson(text))).toEqual(outcome(() => JSON.parse(text)));
        },
      ),
    );
  });

  it('has null for the NaN and Infinity of Python, and every string as it is', () => {
    const text = '[NaN, -Infinity, {"a NaN": Infinity, "b": "\\"NaN\\\\"}, -1, "-Infinity"]';
    expect(parseJson(text)).toEqual([null, null, { 'a NaN': null, b: '"NaN\\' }, -1, '-Infinity']);
  });

  it.each([
    ['lists', '[' + '[],'.repeat(2_000_000) + '0]'],
    ['numbers that are none', '[' + 'NaN,'.repeat(2_000_000) + '0]'],
    ['objects', '{' + '"a":{},'.repeat(2_000_000) + '"b":0}'],
  ])('is refused before it is built where it holds too many values: %s', (_, text) => {
    const before = process.memoryUsage();
    expect(() => parseJson(text)).toThrow('JSON of more than 1,000,000 values');
    const after = process.memoryUsage();
    expect(after.heapUsed + after.external - before.heapUsed - before.external).toBeLessThan(
      10 * text.length,
    );
  });

  it('is refused where it nests too deep', () => {
    const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
    expect(parseJson(nested(200))).toBeInstanceOf(Array);
    expect(() => parseJson(nested(201))).toThrow('nests more than 200 deep');
    expect(() => parseJson('{"a":'.repeat(5000) + '1' + '}'.repeat(5000))).toThrow(
      'nests more than 200 deep',
    );
  });
});

/** What comes of it; all SyntaxErrors are one. */
function outcome(read: () => unknown): unknown {
  try {
    return read();
  } catch (error) {
    return (error as Error).name;
  }
}
