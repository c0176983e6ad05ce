import { z } from 'zod';

/** Small building blocks of the schema. */

type Shape = Record<string, z.ZodType>;
type Optional<S extends Shape> = { [K in keyof S]: z.ZodExactOptional<S[K] & z.core.SomeType> };

/** Every key of `shape` may be left out. */
export function optional<S extends Shape>(shape: S): Optional<S> {
  return mapShape(shape, (schema) => z.exactOptional(schema)) as Optional<S>;
}

export function mapShape(shape: Shape, map: (schema: z.ZodType, key: string) => z.ZodType): Shape {
  return Object.fromEntries(Object.entries(shape).map(([key, schema]) => [key, map(schema, key)]));
}

/**
 * A mapping that takes these keys alone. The keys travel in the message of the issue that an unknown key
 * raises, for explain.ts to find the one that was meant.
 */
export function strict<S extends z.core.$ZodLooseShape>(shape: S): z.ZodObject<S, z.core.$strict> {
  return z.strictObject(shape, {
    error: (issue) => (issue.code === 'unrecognized_keys' ? Object.keys(shape).join(' ') : undefined),
  });
}

/** One of several mappings: the key `tag` says which. */
export function oneOf<Tag extends string, S extends Record<string, z.ZodObject>>(
  tag: Tag,
  shapes: S,
): z.ZodDiscriminatedUnion<[S[keyof S], ...S[keyof S][]], Tag> {
  return z.discriminatedUnion(tag, Object.values(shapes) as [S[keyof S], ...S[keyof S][]]);
}

export const text = (): z.ZodString => z.string().min(1);

/** 0 to 1. */
export const share = (): z.ZodNumber => z.number().min(0).max(1);

const durations: Record<string, number> = { ms: 1, s: 1000, m: 60_000 };

/** Milliseconds as a number, or text with a unit: 300ms, 2s, 1.5m. */
export function duration(example: string): z.ZodType<number, number | string> {
  const words = z.string().regex(/^\d+(\.\d+)?(ms|s|m)$/, 'write a duration like 300ms, 2s or 1m.');
  const either = z.union([z.number().min(0), words]).meta({ examples: [example] });
  return either.transform((value) => {
    if (typeof value === 'number') return value;
    const [, number = '', , unit = ''] = /^(\d+(\.\d+)?)(.*)$/.exec(value) ?? [];
    return Number(number) * (durations[unit] ?? 1);
  });
}

/** A name that becomes part of file names and ids. */
export const name = (): z.ZodString =>
  z
    .string()
    .max(60)
    .regex(
      /^[A-Za-z0-9][A-Za-z0-9._-]*$/,
      'a name takes letters, digits, dots, dashes and underscores, and begins with a letter or digit.',
    );

export const tags = (): z.ZodArray<z.ZodString> => z.array(text());
