import { html, type Html } from './html.js';

export interface Bar {
  /** Under the bar. */
  name: string;
  /** Under the name, smaller. */
  note?: string;
  /** Height: 0 to the chart's maximum. */
  value: number;
  /** Over the bar. */
  label: string;
  /** What a pointer that rests on it reads. */
  hint: string;
}

const width = 460;
const height = 204;
const top = 24;
const bottom = 40;
const plotHeight = height - top - bottom;
/** More bars than this are too thin to carry their words. */
export const maxBars = 12;

/** A bar chart as inline SVG: no script, and it prints. `max` is the value of a bar of full height. */
export function barChart(bars: Bar[], max: number, description: string): Html {
  const step = width / Math.max(bars.length, 4);
  const columns = bars.map(({ name, note, value, label, hint }, index) => {
    const size = max === 0 ? 0 : (value / max) * plotHeight;
    const middle = (index + 0.5) * step;
    const y = top + plotHeight - size;
    const thick = Math.min(step * 0.62, 48);
    return html`<g>
      <title>${hint}</title>
      <rect
        class="bar"
        x="${middle - thick / 2}"
        y="${y}"
        width="${thick}"
        height="${Math.max(size, 1)}"
        rx="3"
      />
      <text x="${middle}" y="${y - 7}">${label}</text>
      <text class="name" x="${middle}" y="${height - 22}">${name}</text>
      ${note !== undefined && html`<text class="note" x="${middle}" y="${height - 6}">${note}</text>`}
    </g>`;
  });
  return html`<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${description}">
    <line x1="0" x2="${width}" y1="${top + plotHeight + 0.5}" y2="${top + plotHeight + 0.5}" />
    ${columns}
  </svg>`;
}
