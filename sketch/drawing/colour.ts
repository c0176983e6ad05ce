import type { Hand } from './hand.js';
import type { Random } from './random.js';
import type { Truth } from './truth.js';

/** Hue 0 to 360, saturation and lightness 0 to 100. */
export interface Colour {
  h: number;
  s: number;
  l: number;
}

export const css = ({ h, s, l }: Colour, lighter = 0, stronger = 0): string => {
  const clamp = (value: number) => Math.min(100, Math.max(0, value)).toFixed(0);
  return `hsl(${((h + 360) % 360).toFixed(0)},${clamp(s + stronger)}%,${clamp(l + lighter)}%)`;
};

const natural: readonly [Colour, ...Colour[]] = [
  { h: 24, s: 48, l: 80 },
  { h: 22, s: 46, l: 74 },
  { h: 26, s: 42, l: 67 },
  { h: 24, s: 40, l: 58 },
  { h: 22, s: 38, l: 48 },
  { h: 20, s: 36, l: 38 },
  { h: 18, s: 32, l: 31 },
];

/** The skin of figurines and cartoons: too warm, too pure, or no skin's colour at all. */
const glossy: readonly [Colour, ...Colour[]] = [
  { h: 22, s: 100, l: 76 },
  { h: 16, s: 96, l: 70 },
  { h: 28, s: 95, l: 62 },
  { h: 14, s: 85, l: 50 },
  { h: 345, s: 90, l: 78 },
  { h: 34, s: 100, l: 70 },
  { h: 200, s: 75, l: 66 },
  { h: 275, s: 65, l: 72 },
];

export function skinColour(random: Random, style: Truth['style'], view: Hand['view']): Colour {
  const skin = random.pick(style === 'realistic' ? natural : glossy);
  const shift = style === 'realistic' ? 3 : 5;
  // Palms are paler than the back of the same hand, dark skins' most of all.
  const paler = style === 'realistic' && view === 'palm' ? Math.max(0, 76 - skin.l) * 0.35 : 0;
  return {
    h: skin.h + random.between(-shift, shift),
    s: skin.s,
    l: skin.l + paler + random.between(-3, 3),
  };
}
