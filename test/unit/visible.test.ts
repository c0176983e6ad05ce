import fc from 'fast-check';
import { expect, it } from 'vitest';
import { visible, visibleJson } from '../../src/base/visible.js';
import { emptyView, render, see } from '../../src/cli/view.js';
import { table } from '../../src/cli/print.js';
import { html } from '../../src/report/html.js';

it('what cannot be printed stands there as an escape', () => {
  expect(visible('a\u001b]0;title\u0007b\u009bc\rd\te\u007f')).toBe(
    'a\\x1b]0;title\\x07b\\x9bc\\rd\\te\\x7f',
  );
  expect(visible('\u202eevil\u2066 \u200bhidden\ufeff \u2028 \u{e0041} \ud800')).toBe(
    '\\u202eevil\\u2066 \\u200bhidden\\ufeff \\u2028 \\u{e0041} \\ud800',
  );
});

it('what people write stays as it is', () => {
  const text = 'Größe 手 рука يد "a" \\x1b\n❤️ 🖐🏽 é e\u0301';
  expect(visible(text)).toBe(text);
});

it('nothing unprintable is left, and JSON means the same', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(visible(text)).not.toMatch(/[^\P{C}\n]|[\p{Zl}\p{Zp}]/u);
      expect(visibleJson({ text })).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
      expect(JSON.parse(visibleJson({ text }))).toEqual({ text });
    }),
  );
});

it('a server that sends control characters moves nothing in the live display, a table or the report', () => {
  const bad = '\u001b[2J\u202egone';
  const view = emptyView(bad, 1, [bad]);
  see(view, { type: 'warning', run: 'r', message: bad } as never);
  for (const shown of [render(view, 200), table(['a'], [[bad]]), html`<p title="${bad}">${bad}</p>`.text]) {
    expect(shown).not.toMatch(/[^\P{C}\n]/u);
    expect(shown).toContain('\\x1b[2J\\u202egone');
  }
});
