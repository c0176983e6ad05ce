/**
 * `value` as JSON that PostgreSQL takes for jsonb. It refuses NUL characters and lone surrogates,
 * which a server's answer or a prompt file may hold: those become U+FFFD.
 */
export function toJsonb(value: unknown): string {
  const text = JSON.stringify(value);
  // JSON.stringify escapes exactly these; a match may also be an escaped backslash, which costs only time.
  if (!/\\u(0000|d[89a-f])/i.test(text)) return text;
  return JSON.stringify(cleaned(value));
}

/** `text` as PostgreSQL takes it. */
export function toText(text: string): string {
  // The u flag makes \p{Surrogate} match lone ones only.
  return text.replace(/\0|\p{Surrogate}/gu, '\uFFFD');
}

function cleaned(value: unknown): unknown {
  if (typeof value === 'string') return toText(value);
  if (Array.isArray(value)) return value.map(cleaned);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [toText(key), cleaned(inner)]));
}
