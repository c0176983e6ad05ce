import { css, type Colour } from './colour.js';
import type { Random } from './random.js';
import type { Truth } from './truth.js';

interface Canvas {
  width: number;
  height: number;
  random: Random;
}

type Scene = (canvas: Canvas) => string;

const rect = (canvas: Canvas, fill: string, from = 0) =>
  `<rect y="${(canvas.height * from).toFixed(0)}" width="${canvas.width}" height="${(canvas.height * (1 - from) + 1).toFixed(0)}" fill="${fill}"/>`;

const linear = (id: string, top: string, bottom: string) =>
  `<linearGradient id="${id}" x2="0.2" y2="1"><stop offset="0" stop-color="${top}"/><stop offset="1" stop-color="${bottom}"/></linearGradient>`;

const glow = (id: string, colour: string, opacity: number) =>
  `<radialGradient id="${id}"><stop offset="0.2" stop-color="${colour}" stop-opacity="${opacity}"/><stop offset="1" stop-color="${colour}" stop-opacity="0"/></radialGradient>`;

const muted = (random: Random): Colour => ({
  h: random.between(0, 360),
  s: random.between(8, 28),
  l: random.between(28, 74),
});

const studio: Scene = (canvas) => {
  const wall = muted(canvas.random);
  return (
    linear('wall', css(wall, 8), css(wall, -14)) +
    glow('lamp', css(wall, 22), 0.8) +
    rect(canvas, 'url(#wall)') +
    `<ellipse cx="${canvas.width * canvas.random.between(0.2, 0.8)}" cy="${canvas.height * 0.3}" rx="${canvas.width * 0.6}" ry="${canvas.height * 0.5}" fill="url(#lamp)"/>`
  );
};

const bokeh: Scene = (canvas) => {
  const { random, width, height } = canvas;
  const night = { h: random.between(190, 270), s: 30, l: random.between(16, 30) };
  const lights = Array.from({ length: 14 }, () => {
    const colour = css({ h: random.pick([random.between(20, 55), random.between(180, 220)]), s: 60, l: 70 });
    const r = Math.min(width, height) * random.between(0.03, 0.1);
    return `<circle cx="${(random.next() * width).toFixed(0)}" cy="${(random.next() * height).toFixed(0)}" r="${r.toFixed(0)}" fill="${colour}" opacity="${random.between(0.15, 0.4).toFixed(2)}"/>`;
  });
  return linear('wall', css(night, 8), css(night, -6)) + rect(canvas, 'url(#wall)') + lights.join('');
};

const meadow: Scene = (canvas) => {
  const { random } = canvas;
  const sky = { h: random.between(195, 220), s: random.between(25, 45), l: random.between(68, 80) };
  const grass = { h: random.between(75, 120), s: random.between(18, 34), l: random.between(34, 48) };
  const horizon = random.between(0.45, 0.7);
  return (
    linear('wall', css(sky), css(sky, 12)) +
    linear('ground', css(grass, 10), css(grass, -10)) +
    rect(canvas, 'url(#wall)') +
    rect(canvas, css(grass, 20, -8), horizon - 0.04) +
    rect(canvas, 'url(#ground)', horizon)
  );
};

const table: Scene = (canvas) => {
  const { random } = canvas;
  const wall = muted(random);
  const wood = { h: random.between(18, 34), s: random.between(22, 40), l: random.between(26, 44) };
  const edge = random.between(0.6, 0.78);
  const planks = [0.25, 0.5, 0.75].map((share) => rect(canvas, css(wood, -6), edge + (1 - edge) * share));
  return (
    linear('wall', css(wall, 10), css(wall, -6)) +
    rect(canvas, 'url(#wall)') +
    rect(canvas, css(wood), edge) +
    planks.join('')
  );
};

const vivid = (random: Random): Colour => ({
  h: random.between(0, 360),
  s: random.between(75, 100),
  l: random.between(48, 72),
});

const candy: Scene = (canvas) => {
  const { random, width, height } = canvas;
  const colour = vivid(random);
  const bubbles = Array.from({ length: 9 }, () => {
    const r = Math.min(width, height) * random.between(0.02, 0.08);
    return `<circle cx="${(random.next() * width).toFixed(0)}" cy="${(random.next() * height).toFixed(0)}" r="${r.toFixed(0)}" fill="#fff" opacity="0.25"/>`;
  });
  return (
    linear('wall', css(colour, 14), css({ ...colour, h: colour.h + 60 }, -8)) +
    rect(canvas, 'url(#wall)') +
    bubbles.join('')
  );
};

const rays: Scene = (canvas) => {
  const { random, width, height } = canvas;
  const colour = vivid(random);
  const reach = width + height;
  const wedge = (angle: number) =>
    `L${(width / 2 + Math.cos(angle) * reach).toFixed(0)} ${(height * 0.6 + Math.sin(angle) * reach).toFixed(0)}`;
  const beams = Array.from({ length: 12 }, (_, i) => {
    const angle = (i * Math.PI) / 6;
    return `M${(width / 2).toFixed(0)} ${(height * 0.6).toFixed(0)}${wedge(angle)}${wedge(angle + Math.PI / 12)}Z`;
  });
  return rect(canvas, css(colour)) + `<path d="${beams.join('')}" fill="${css(colour, 16)}"/>`;
};

const neon: Scene = (canvas) => {
  const { random, width, height } = canvas;
  const colour = { h: random.between(220, 320), s: 80, l: 18 };
  const lines = Array.from({ length: 7 }, (_, i) => {
    const y = height * (0.5 + 0.5 * (i / 7) ** 1.6);
    const x = (width * i) / 6;
    return `M0 ${y.toFixed(0)}H${width}M${((x + width) / 3).toFixed(0)} ${(height * 0.5).toFixed(0)}L${(x * 2 - width / 2).toFixed(0)} ${height}`;
  });
  return (
    linear('wall', css(colour, -6), css({ ...colour, h: colour.h + 50 }, 30)) +
    rect(canvas, 'url(#wall)') +
    `<path d="${lines.join('')}" stroke="${css({ ...colour, h: colour.h + 60 }, 45)}" stroke-width="${(height / 200).toFixed(1)}" opacity="0.7"/>`
  );
};

/** What is behind the hand, as SVG in pixels of the picture. */
export function paintBackground(style: Truth['style'], canvas: Canvas): string {
  const scenes: readonly [Scene, ...Scene[]] =
    style === 'realistic' ? [studio, studio, bokeh, meadow, table] : [candy, candy, rays, neon];
  return canvas.random.pick(scenes)(canvas);
}

/** Darker corners, as lenses make them. */
export const vignette = (canvas: Canvas): string =>
  `<radialGradient id="lens" r="0.75"><stop offset="0.55" stop-opacity="0"/><stop offset="1" stop-opacity="0.4"/></radialGradient>` +
  rect(canvas, 'url(#lens)');
