import { css, type Colour } from './colour.js';
import type { Digit, Hand } from './hand.js';
import type { Random } from './random.js';
import { limb, smooth, towards, type Point, type Station } from './shape.js';
import type { Truth } from './truth.js';

interface Paint {
  hand: Hand;
  skin: Colour;
  style: Truth['style'];
  random: Random;
  /** -1 where the light comes from the left in the hand's own frame, 1 where from the right. */
  light: -1 | 1;
}

/** The hand as SVG in hand units, arm included. */
export function paintHand(paint: Paint): string {
  const { hand, skin, style } = paint;
  const realistic = style === 'realistic';
  const line = realistic ? css(skin, -19, -8) : css({ ...skin, l: Math.min(skin.l, 62) }, -42, -10);
  const edge = realistic ? 1 : 3.6;
  const palmPath = smooth(hand.palm, true);
  const forearm = arm();
  const outline = (path: string) =>
    `<path d="${path}" fill="${line}" stroke="${line}" stroke-width="${edge * 2}" stroke-linejoin="round"/>`;

  const silhouettes = [forearm, palmPath, ...hand.digits.map(({ stations }) => limb(stations))]
    .map(outline)
    .join('');
  const base = css(skin);
  const thumbs = hand.digits.filter(({ thumb }) => thumb);
  return [
    silhouettes,
    `<path d="${forearm}" fill="${base}"/>`,
    ...hand.digits.map((each) => paintDigit(paint, each, outline)),
    hand.web ? paintWeb(paint, hand.web) : '',
    `<path d="${palmPath}" fill="${base}"/>`,
    `<clipPath id="body"><path d="${palmPath}${forearm}"/></clipPath>`,
    `<g clip-path="url(#body)">${shadePalm(paint)}</g>`,
    ...thumbs.map((thumb) => paintThenar(paint, thumb)),
    hand.view === 'palm' ? palmLines(paint, line) : knuckles(paint, line),
    realistic ? texture(paint) : '',
    ...hand.digits.map((each) => (hand.view === 'back' ? nail(paint, each, line) : pad(paint, each))),
  ].join('');
}

const arm = (): string =>
  smooth(
    [
      { x: -27, y: -16 },
      { x: -28, y: 10 },
      { x: -32, y: 60 },
      { x: -42, y: 340 },
      { x: 42, y: 340 },
      { x: 32, y: 60 },
      { x: 28, y: 10 },
      { x: 27, y: -16 },
    ],
    true,
  );

function paintDigit(
  { skin, style, light }: Paint,
  { stations, joints }: Digit,
  outline: (path: string) => string,
) {
  const layers =
    style === 'realistic'
      ? ([
          [1, 0, css(skin, -11), 1],
          [0.9, 0.06, css(skin, -5), 0.7],
          [0.76, 0.13, css(skin, -1), 0.7],
          [0.58, 0.2, css(skin, 2), 0.6],
          [0.36, 0.26, css(skin, 6), 0.5],
        ] as const)
      : ([
          [1, 0, css(skin, -12, 4), 1],
          [0.82, 0.14, css(skin), 1],
          [0.5, 0.24, css(skin, 8), 0.8],
        ] as const);
  const body = layers
    .map(([scale, shift, fill, opacity]) => {
      const path = limb(stations, scale, shift * light);
      return `<path d="${path}" fill="${fill}" opacity="${opacity}"/>`;
    })
    .join('');
  const shine =
    style === 'unrealistic'
      ? `<path d="${limb(stations.slice(-4, -1), 0.13, 0.42 * light)}" fill="#fff" opacity="0.9"/>` +
        `<path d="${limb(stations.slice(2, -4), 0.1, 0.42 * light)}" fill="#fff" opacity="0.75"/>`
      : '';
  const folds = joints.map((joint, i) => fold(skin, joint, stations, i, style)).join('');
  return outline(limb(stations)) + body + folds + shine;
}

/** The creases across a joint. */
function fold(
  skin: Colour,
  joint: Station,
  stations: Station[],
  index: number,
  style: Truth['style'],
): string {
  const before = stations[index * 2 + 2] ?? joint;
  const angle = (Math.atan2(joint.x - before.x, before.y - joint.y) * 180) / Math.PI;
  const lines = style === 'realistic' ? [-1.6, 0, 1.7] : [0];
  return lines
    .map((offset) => {
      const centre = towards(joint, angle, offset);
      const reach = joint.radius * (offset === 0 ? 0.72 : 0.5);
      const from = towards(centre, angle - 90, reach);
      const to = towards(centre, angle + 90, reach);
      const dip = towards(centre, angle + 180, 1.6);
      return `<path d="${smooth([from, dip, to], false)}" fill="none" stroke="${css(skin, -22)}" stroke-width="${style === 'realistic' ? 0.8 : 1.3}" stroke-linecap="round" opacity="0.6"/>`;
    })
    .join('');
}

function paintWeb({ skin }: Paint, web: Point[]): string {
  const [a, b, c, d] = web;
  if (!a || !b || !c || !d) return '';
  const corners = [a, b, c, d].map(({ x, y }) => `${x.toFixed(1)},${y.toFixed(1)}`).join(' ');
  const crease = smooth(
    [towards(b, 90, (c.x - b.x) / 2), { x: (a.x + d.x) / 2, y: (a.y + d.y) / 2 - 40 }],
    false,
  );
  return (
    `<polygon points="${corners}" fill="${css(skin, -1)}"/>` +
    `<path d="${crease}" stroke="${css(skin, -12)}" stroke-width="1" fill="none" opacity="0.5"/>`
  );
}

const ellipse = (x: number, y: number, rx: number, ry: number, fill: string, opacity = 1, turn = 0) =>
  `<ellipse cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" rx="${rx.toFixed(1)}" ry="${ry.toFixed(1)}" fill="${fill}" opacity="${opacity}" transform="rotate(${turn.toFixed(0)} ${x.toFixed(1)} ${y.toFixed(1)})"/>`;

function shadePalm({ hand, style, light }: Paint): string {
  const w = 46 * hand.breadth;
  const shades = [
    ellipse(-light * w * 0.75, -55, w * 0.5, 58, 'url(#dark)', 0.75, light * 6),
    ellipse(light * w * 0.25, -62, w * 0.75, 48, 'url(#bright)', 0.8),
    ellipse(0, 22, 36, 34, 'url(#dark)', 0.5),
    ellipse(-light * 34, 90, 26, 130, 'url(#dark)', 0.8),
    ellipse(light * 10, 90, 20, 120, 'url(#bright)', 0.5),
  ];
  if (style === 'unrealistic') shades.push(ellipse(light * w * 0.5, -74, 6, 16, '#fff', 0.75, light * -14));
  return shades.join('');
}

/** The ball of the thumb. */
function paintThenar({ style }: Paint, { stations }: Digit): string {
  const base = stations[1];
  if (!base) return '';
  const inward = base.x < 0 ? 1 : -1;
  return (
    ellipse(base.x + inward * 10, base.y + 12, 19, 27, 'url(#ball)', 1, inward * -22) +
    (style === 'unrealistic'
      ? ellipse(base.x + inward * 4, base.y + 4, 3.4, 9, '#fff', 0.7, inward * -24)
      : '')
  );
}

function palmLines({ hand: { breadth: b } }: Paint, line: string): string {
  const lines: Point[][] = [
    [
      { x: -40 * b, y: -72 },
      { x: -20 * b, y: -68 },
      { x: -8 * b, y: -48 },
      { x: -10 * b, y: -14 },
    ],
    [
      { x: -38 * b, y: -75 },
      { x: -10 * b, y: -66 },
      { x: 22 * b, y: -48 },
    ],
    [
      { x: -14 * b, y: -92 },
      { x: 2 * b, y: -80 },
      { x: 24 * b, y: -76 },
      { x: 40 * b, y: -78 },
    ],
    [
      { x: -24, y: 4 },
      { x: 0, y: 7 },
      { x: 24, y: 4 },
    ],
  ];
  return lines
    .map(
      (points) =>
        `<path d="${smooth(points, false)}" fill="none" stroke="${line}" stroke-width="1.5" stroke-linecap="round" opacity="0.55"/>`,
    )
    .join('');
}

function knuckles({ hand }: Paint, line: string): string {
  return hand.digits
    .filter(({ thumb }) => !thumb)
    .map(({ stations }) => {
      const base = stations[1];
      if (!base) return '';
      const y = base.y + 7;
      const tendon = smooth(
        [
          { x: base.x, y: y + 8 },
          { x: base.x * 0.8, y: y + 34 },
        ],
        false,
      );
      return (
        ellipse(base.x, y, 8.5, 6.5, 'url(#bright)', 0.9) +
        `<path d="${smooth(
          [
            { x: base.x - 6, y: y + 3 },
            { x: base.x, y: y + 5.5 },
            { x: base.x + 6, y: y + 3 },
          ],
          false,
        )}" fill="none" stroke="${line}" stroke-width="1" opacity="0.4"/>` +
        `<path d="${tendon}" stroke="url(#bright)" stroke-width="4" fill="none" opacity="0.35" stroke-linecap="round"/>`
      );
    })
    .join('');
}

/** Freckles and pores. */
function texture({ skin, random, hand }: Paint): string {
  return Array.from({ length: 46 }, () => {
    const turn = random.between(0, 2 * Math.PI);
    const far = Math.sqrt(random.next());
    const x = Math.cos(turn) * far * 38 * hand.breadth;
    const y = -54 + Math.sin(turn) * far * 46;
    const fill = random.chance(0.6) ? css(skin, -14) : css(skin, 9);
    return `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="${random.between(0.3, 0.9).toFixed(1)}" fill="${fill}" opacity="0.3"/>`;
  }).join('');
}

function nail({ skin, style, light }: Paint, { tip, tipAngle }: Digit, line: string): string {
  const centre = towards(tip, tipAngle, -tip.radius * 0.1);
  const wide = tip.radius * 0.62;
  const long = tip.radius * 0.92;
  const fill =
    style === 'realistic'
      ? css({ h: 10, s: 42, l: Math.min(86, skin.l + 12) })
      : css({ h: 340, s: 90, l: 72 });
  const shine = style === 'unrealistic' ? 0.95 : 0.4;
  const glint = towards(towards(centre, tipAngle, long * 0.25), tipAngle + 90, wide * 0.35 * light);
  return (
    `<g stroke="${line}" stroke-width="${style === 'realistic' ? 0.7 : 1.4}">${ellipse(centre.x, centre.y, wide, long, fill, 1, tipAngle)}</g>` +
    ellipse(glint.x, glint.y, wide * 0.22, long * 0.45, '#fff', shine, tipAngle)
  );
}

/** The soft, redder end of a finger seen from the palm's side. */
const pad = ({ skin }: Paint, { tip, tipAngle }: Digit): string =>
  ellipse(
    tip.x,
    tip.y,
    tip.radius * 0.72,
    tip.radius * 0.9,
    css({ h: 8, s: skin.s + 10, l: skin.l - 2 }),
    0.3,
    tipAngle,
  );

/** Gradients that the painter refers to. */
export function handGradients(skin: Colour, style: Truth['style']): string {
  const radial = (id: string, colour: string, opacity: number) =>
    `<radialGradient id="${id}"><stop offset="0" stop-color="${colour}" stop-opacity="${opacity}"/><stop offset="1" stop-color="${colour}" stop-opacity="0"/></radialGradient>`;
  const strength = style === 'realistic' ? 0.7 : 0.9;
  return (
    radial('dark', css(skin, -18, style === 'realistic' ? 0 : 8), strength) +
    radial('bright', css(skin, style === 'realistic' ? 8 : 14), strength) +
    radial('ball', css(skin, 5), 0.9)
  );
}
