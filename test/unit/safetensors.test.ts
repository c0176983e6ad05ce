import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { ModelError } from '../../src/errors.js';
import { floatToHalf, halfToFloat } from '../../src/base/floats.js';
import {
  type Dtype,
  openCheckpoint,
  openSafetensors,
  writeSafetensors,
} from '../../src/models/safetensors/index.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reroll-safetensors-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** A file whose header says `header` and whose data are `bytes` zeros. */
async function fileOf(header: string | Buffer, bytes: number, promised?: bigint): Promise<string> {
  const json = Buffer.from(header);
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(promised ?? BigInt(json.length));
  const path = join(folder, 'made.safetensors');
  await writeFile(path, Buffer.concat([prefix, json, Buffer.alloc(bytes)]));
  return path;
}

async function refusal(path: string): Promise<string> {
  const error: unknown = await openSafetensors(path).then(
    (file) => file.close(),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ModelError);
  return (error as ModelError).message;
}

const entry = (dtype: string, shape: number[], begin: number, end: number) =>
  JSON.stringify({ dtype, shape, data_offsets: [begin, end] });

describe('safetensors', () => {
  const numbers: [Dtype, ArrayBufferView, number[]][] = [
    ['F64', Float64Array.of(1.5, -2), [1.5, -2]],
    ['F32', Float32Array.of(0.1, 3), [Math.fround(0.1), 3]],
    ['F16', Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7c00), [1, -2, 2 ** -24, Infinity]],
    ['BF16', Uint16Array.of(0x3f80, 0xc000), [1, -2]],
    ['F8_E4M3', Uint8Array.of(0x38, 0xb8, 0x7e, 0x01, 0x7f), [1, -1, 448, 2 ** -9, NaN]],
    ['F8_E5M2', Uint8Array.of(0x3c, 0xbc, 0x7b, 0x7c), [1, -1, 57344, Infinity]],
    ['BOOL', Uint8Array.of(0, 1), [0, 1]],
    ['I8', Int8Array.of(-5, 5), [-5, 5]],
    ['U8', Uint8Array.of(250), [250]],
    ['I16', Int16Array.of(-300), [-300]],
    ['U16', Uint16Array.of(60_000), [60_000]],
    ['I32', Int32Array.of(-70_000), [-70_000]],
    ['U32', Uint32Array.of(3_000_000_000), [3_000_000_000]],
    ['I64', BigInt64Array.of(-9n), [-9]],
    ['U64', BigUint64Array.of(9n), [9]],
  ];

  it('reads back every type of number that it wrote', async () => {
    const path = join(folder, 'all.safetensors');
    await writeSafetensors(
      path,
      numbers.map(([dtype, data, values]) => ({
        name: dtype,
        dtype,
        shape: [values.length],
        data: () => data,
      })),
      { format: 'pt' },
    );
    const file = await openSafetensors(path);
    expect([...file.metadata]).toEqual([['format', 'pt']]);
    for (const [dtype, data, values] of numbers) {
      expect(Array.from(await file.readFloats(dtype))).toEqual(values);
      expect(await file.read(dtype)).toEqual(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    }
    await file.close();
  });

  it('lists types that no number can be read from, and gives their bytes', async () => {
    const path = await fileOf(`{"a":${entry('F4', [4], 0, 2)},"b":${entry('F8_E8M0', [], 2, 3)}}`, 3);
    const file = await openSafetensors(path);
    expect(await file.read('a')).toHaveLength(2);
    await expect(file.readFloats('b')).rejects.toThrow(/F8_E8M0 cannot be read as numbers/);
    await expect(file.read('c')).rejects.toThrow(/no tensor "c"/);
    await file.close();
  });

  it('rounds halves to the nearest, ties to even, as reading them back shows', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffff }), (bits) => {
        const value = halfToFloat(Uint16Array.of(bits))[0]!;
        const again = floatToHalf(Float32Array.of(value))[0]!;
        expect(Number.isNaN(value) ? 0 : again).toBe(Number.isNaN(value) ? 0 : bits);
      }),
      { numRuns: 2000 },
    );
    expect([
      ...floatToHalf(Float32Array.of(2049, 2051, 65520, 65519, 2 ** -25, 1.5 * 2 ** -25, NaN)),
    ]).toEqual([0x6800, 0x6802, 0x7c00, 0x7bff, 0, 1, 0x7e00]);
  });

  it.each<[string, string, number, RegExp]>([
    ['an overlap', `{"a":${entry('U8', [4], 0, 4)},"b":${entry('U8', [4], 2, 6)}}`, 6, /overlaps/],
    ['a hole', `{"a":${entry('U8', [4], 0, 4)},"b":${entry('U8', [2], 5, 7)}}`, 7, /hole/],
    ['a hole at the start', `{"a":${entry('U8', [4], 1, 5)}}`, 5, /hole/],
    ['missing data', `{"a":${entry('U8', [4], 0, 4)}}`, 3, /cut off/],
    ['data that belongs to nothing', `{"a":${entry('U8', [4], 0, 4)}}`, 9, /belong to no tensor/],
    [
      'a name that is there twice',
      `{"a":${entry('U8', [1], 0, 1)},"a":${entry('U8', [1], 0, 1)}}`,
      1,
      /twice/,
    ],
    [
      'a field that is there twice',
      '{"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
      1,
      /twice/,
    ],
    ['an unknown type', `{"a":${entry('F7', [1], 0, 1)}}`, 1, /unknown dtype/],
    ['a type named like an inherited property', `{"a":${entry('toString', [1], 0, 1)}}`, 1, /unknown dtype/],
    ['a shape that disagrees with its data', `{"a":${entry('F32', [2], 0, 4)}}`, 4, /differ in size/],
    ['a shape that overflows', `{"a":${entry('U8', [2 ** 40, 2 ** 40], 0, 4)}}`, 4, /differ in size/],
    ['a negative size', `{"a":${entry('U8', [-1, -4], 0, 4)}}`, 4, /no list of sizes/],
    ['a fractional size', `{"a":${entry('U8', [1.5], 0, 1)}}`, 1, /no list of sizes/],
    ['data that ends before it begins', `{"a":${entry('U8', [4], 4, 0)}}`, 4, /ends before/],
    ['metadata that is no text', '{"__metadata__":{"a":1}}', 0, /no string/],
    ['a header that is a list', '[]', 0, /no JSON object/],
    ['a header that is no JSON', '{"a"', 0, /no JSON/],
    ['a header that begins with a space', ' {}', 0, /no JSON object/],
    ['an entry that is null', '{"a":null}', 0, /no object/],
  ])('refuses %s', async (_, header, bytes, message) => {
    expect(await refusal(await fileOf(header, bytes))).toMatch(message);
  });

  it('refuses a header length that the file cannot hold, or that the format forbids, before reading it', async () => {
    expect(await refusal(await fileOf('{}', 0, 3n))).toMatch(/promises a header of 3 bytes/);
    expect(await refusal(await fileOf('{}', 0, 2n ** 63n))).toMatch(/promises a header/);
    expect(await refusal(await fileOf('{}', 0, 100_000_001n))).toMatch(/promises a header/);
    await writeFile(join(folder, 'tiny'), 'abc');
    expect(await refusal(join(folder, 'tiny'))).toMatch(/has 3 bytes/);
  });

  it('refuses header bytes that are no UTF-8', async () => {
    expect(await refusal(await fileOf(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]), 0))).toMatch(/no JSON/);
  });

  it('never writes what it would refuse to read', async () => {
    const path = join(folder, 'bad.safetensors');
    const tensor = { name: 'a', dtype: 'F32' as const, shape: [2], data: () => Float32Array.of(1) };
    await expect(writeSafetensors(path, [tensor])).rejects.toThrow(/its shape needs 8/);
    await expect(writeSafetensors(path, [tensor, tensor])).rejects.toThrow(/twice/);
    await expect(writeSafetensors(path, [{ ...tensor, name: '__metadata__' }], {})).rejects.toThrow(/twice/);
    expect((await readdir(folder)).filter((name) => name.startsWith('bad.safetensors'))).toEqual([]);
  });

  it('survives 10,000 mutations: each opens and reads within its bounds, or is refused', async () => {
    const source = join(folder, 'seed.safetensors');
    await writeSafetensors(
      source,
      [
        { name: 'a', dtype: 'F32', shape: [2, 3], data: () => new Float32Array(6) },
        { name: 'b.weight', dtype: 'F16', shape: [4], data: () => new Uint16Array(4) },
        { name: 'c', dtype: 'I64', shape: [], data: () => new BigInt64Array(1) },
      ],
      { format: 'pt' },
    );
    const seed = await readFile(source);
    const mutated = join(folder, 'mutated.safetensors');
    let state = 1;
    const random = (below: number) => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    const hostile = [
      '9007199254740993',
      '-1',
      '1e308',
      '0.5',
      '[',
      ']',
      '{',
      '}',
      '"',
      ',',
      ':',
      '\\',
      'null',
      '\0',
    ];
    let refused = 0;
    const before = process.memoryUsage().rss;
    for (let round = 0; round < 10_000; round++) {
      let bytes: Buffer = Buffer.from(seed);
      for (let changes = 1 + random(4); changes > 0; changes--) {
        const at = random(round % 3 === 0 ? 8 : bytes.length);
        const kind = random(4);
        if (kind === 0) bytes[at] = random(256);
        else if (kind === 1) bytes = bytes.subarray(0, random(bytes.length + 1));
        else if (kind === 2)
          bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random(9))]);
        else {
          const text = Buffer.from(hostile[random(hostile.length)]!);
          bytes = Buffer.concat([bytes.subarray(0, at), text, bytes.subarray(at)]);
        }
        if (bytes.length === 0) break;
      }
      await writeFile(mutated, bytes);
      try {
        const file = await openSafetensors(mutated);
        for (const name of file.tensors.keys())
          expect((await file.read(name)).length).toBeLessThanOrEqual(bytes.length);
        await file.close();
      } catch (error) {
        if (!(error instanceof ModelError)) throw error;
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(5000);
    expect(process.memoryUsage().rss - before).toBeLessThan(300 * 2 ** 20);
  }, 120_000);
});

describe('a sharded checkpoint', () => {
  const shard = (path: string, name: string) =>
    writeSafetensors(path, [{ name, dtype: 'F32', shape: [1], data: () => Float32Array.of(7) }]);

  async function sharded(map: unknown): Promise<string> {
    const made = await mkdtemp(join(folder, 'shards-'));
    await shard(join(made, 'model-1.safetensors'), 'a');
    await shard(join(made, 'model-2.safetensors'), 'b');
    await writeFile(join(made, 'model.safetensors.index.json'), JSON.stringify({ weight_map: map }));
    return made;
  }

  it('reads each tensor from the shard that the index names', async () => {
    const checkpoint = await openCheckpoint(
      await sharded({ a: 'model-1.safetensors', b: 'model-2.safetensors' }),
    );
    expect([...checkpoint.tensors.keys()]).toEqual(['a', 'b']);
    expect(await checkpoint.readFloats('b')).toEqual(Float32Array.of(7));
    await expect(checkpoint.readFloats('c')).rejects.toThrow(/no tensor "c"/);
    await checkpoint.close();
  });

  it.each([
    ['a shard outside the folder', { a: '../model-1.safetensors' }, /outside its folder/],
    ['an absolute shard', { a: '/etc/model.safetensors' }, /outside its folder/],
    ['a shard of another kind', { a: 'config.json' }, /outside its folder/],
    ['a tensor that its shard lacks', { a: 'model-2.safetensors' }, /lacks tensor "a"/],
    ['an empty map', {}, /names no tensors/],
    ['no map', undefined, /no weight_map/],
  ])('refuses %s', async (_, map, message) => {
    const made = await sharded(map);
    await expect(openCheckpoint(made)).rejects.toThrow(ModelError);
    await expect(openCheckpoint(made)).rejects.toThrow(message);
  });

  it('says what it looked for where a folder has no weights', async () => {
    await expect(openCheckpoint(folder)).rejects.toThrow(/neither model.safetensors nor/);
  });
});
