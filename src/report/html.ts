import { visible } from '../base/visible.js';

/** Text that is HTML already. */
export class Html {
  constructor(readonly text: string) {}
}

type Value = Html | string | number | false | undefined | Value[];

/** A template whose values are escaped, so that no prompt or server's words can become markup. */
export function html(parts: TemplateStringsArray, ...values: Value[]): Html {
  return new Html(
    withoutIndents(parts).reduce((text, part, index) => text + toHtml(values[index - 1]) + part),
  );
}

/** By template: a report has thousands of cards, and a third of them would be spaces. */
const shortened = new WeakMap<TemplateStringsArray, string[]>();

function withoutIndents(parts: TemplateStringsArray): string[] {
  const known = shortened.get(parts);
  if (known) return known;
  const short = parts.map((part) => part.replace(/(?<=>|^)\s*\n\s*(?=<|$)/g, '').replace(/\s*\n\s*/g, ' '));
  shortened.set(parts, short);
  return short;
}

function toHtml(value: Value): string {
  if (value === undefined || value === false) return '';
  if (Array.isArray(value)) return value.map(toHtml).join('');
  return value instanceof Html ? value.text : escape(String(value));
}

const entities: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
const escape = (text: string): string =>
  visible(text).replace(/[&<>"']/g, (character) => entities[character] ?? '');
