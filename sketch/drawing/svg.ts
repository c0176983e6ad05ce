import { paintBackground, vignette } from './background.js';
import { css, skinColour } from './colour.js';
import { buildHand, type Hand } from './hand.js';
import { handGradients, paintHand } from './paint.js';
import { random, type Random } from './random.js';
import { limb, limbOutline, smooth, type Point } from './shape.js';
import { composition, handOf, sketchTruth, type DrawRequest } from './truth.js';

/** Where the hand lies in the picture. */
export interface Placement {
  scale: number;
  /** Degrees, clockwise. */
  turn: number;
  mirrored: boolean;
  x: number;
  y: number;
}

/** Everything about a drawing but its paint. */
export function plan(request: DrawRequest): { hand: Hand; placement: Placement } {
  const key = composition(request);
  const hand = buildHand(random('hand', handOf(request)), sketchTruth(request).defect);
  return { hand, placement: place(random('place', key), hand, request) };
}

/** As large as fits, or a little smaller, with every fingertip inside the frame. */
function place(lots: Random, hand: Hand, { width, height }: DrawRequest): Placement {
  const turn = lots.between(-16, 16);
  const mirrored = lots.chance(0.5);
  const size = lots.between(0.86, 1);
  const at = { x: lots.next(), y: lots.next() };
  // A wide picture cuts the hand off at the ball of the thumb: the fingers would be small otherwise.
  const lowest = width > height ? -30 : 12;
  const shown = hand.palm.filter(({ y }) => y <= lowest);
  const points = [...shown, ...hand.digits.flatMap(({ stations }) => limbOutline(stations))].map((point) =>
    transform(point, { scale: 1, turn, mirrored, x: 0, y: 0 }),
  );
  const xs = points.map(({ x }) => x);
  const ys = points.map(({ y }) => y);
  const [left, right, top, bottom] = [
    Math.min(...xs),
    Math.max(...xs),
    Math.min(...ys),
    Math.max(...ys) + 12,
  ];
  const margin = 0.05 * Math.min(width, height);
  const scale =
    size * Math.min((width - 2 * margin) / (right - left), (height - 2 * margin) / (bottom - top));
  const slack = (room: number, used: number) => Math.max(0, room - 2 * margin - used * scale);
  return {
    scale,
    turn,
    mirrored,
    x: margin - left * scale + at.x * slack(width, right - left),
    y: margin - top * scale + (0.3 + 0.7 * at.y) * slack(height, bottom - top),
  };
}

/** From hand units to pixels of the picture. */
export function transform({ x, y }: Point, { scale, turn, mirrored, x: dx, y: dy }: Placement): Point {
  const side = mirrored ? -x : x;
  const [cos, sin] = [Math.cos((turn * Math.PI) / 180), Math.sin((turn * Math.PI) / 180)];
  return { x: dx + scale * (side * cos - y * sin), y: dy + scale * (side * sin + y * cos) };
}

/** The picture as SVG, `shrink` times as large as asked for. */
export function toSvg(request: DrawRequest, shrink = 1): string {
  const { width, height } = request;
  const { hand, placement } = plan(request);
  const key = composition(request);
  const { style } = sketchTruth(request);
  const skin = skinColour(random('skin', key), style, hand.view);
  const lots = random('paint', key);
  const light = lots.chance(0.5) ? 1 : -1;
  const background = paintBackground(style, { width, height, random: random('background', key) });
  const { scale, turn, mirrored, x, y } = placement;
  const pose = `translate(${x.toFixed(1)} ${y.toFixed(1)}) rotate(${turn.toFixed(1)}) scale(${(mirrored ? -scale : scale).toFixed(4)} ${scale.toFixed(4)})`;
  const drawn = paintHand({ hand, skin, style, random: lots, light });
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${Math.round(width * shrink)}" height="${Math.round(height * shrink)}" viewBox="0 0 ${width} ${height}">` +
    handGradients(skin, style) +
    background +
    shadow(hand, pose, style === 'realistic' ? 0.1 : 0.16) +
    `<g transform="${pose}">${drawn}${sleeve(lots)}</g>` +
    (style === 'realistic' ? vignette({ width, height, random: lots }) : '') +
    `</svg>`
  );
}

/** What the hand keeps from the wall behind it: two shifted silhouettes instead of a blur, which would be slow. */
function shadow(hand: Hand, pose: string, opacity: number): string {
  const paths = [smooth(hand.palm, true), ...hand.digits.map(({ stations }) => limb(stations, 1.05))].join(
    '',
  );
  return [4, 8]
    .map(
      (far) =>
        `<g transform="translate(${far} ${far}) ${pose}"><path d="${paths}" opacity="${opacity}"/></g>`,
    )
    .join('');
}

function sleeve(lots: Random): string {
  if (lots.chance(0.4)) return '';
  const cloth = { h: lots.between(0, 360), s: lots.between(10, 60), l: lots.between(25, 70) };
  const cuff = lots.between(40, 60);
  return (
    `<path d="M-46 ${cuff}Q0 ${cuff + 12} 46 ${cuff}L54 400H-54Z" fill="${css(cloth)}" stroke="${css(cloth, -16)}" stroke-width="2"/>` +
    `<path d="M-46 ${cuff + 12}Q0 ${cuff + 24} 46 ${cuff + 12}" fill="none" stroke="${css(cloth, -12)}" stroke-width="2"/>`
  );
}
