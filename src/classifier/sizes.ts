import { roundHalfEven } from '../base/floats.js';

/** Pixels. */
export interface Size {
  width: number;
  height: number;
}

/** What a picture is resized to. */
export type Target =
  | ({ kind: 'exact' } & Size)
  /** The shorter side becomes `edge`, and the longer one keeps the ratio, up to `longest`. */
  | { kind: 'shortest'; edge: number; longest?: number }
  /** As large as fits into this. `round`: timm rounds where transformers cuts. */
  | ({ kind: 'inside'; round: boolean } & Size)
  /** As small as covers this. */
  | ({ kind: 'covering' } & Size);

/** The size that a picture gets: by transformers' `get_resize_output_image_size` and its relatives, and timm's. */
export function sizeOf(target: Target, picture: Size): Size {
  switch (target.kind) {
    case 'exact':
      return target;
    case 'shortest':
      return shortest(target.edge, target.longest ?? Infinity, picture);
    case 'inside': {
      const scale = Math.min(target.height / picture.height, target.width / picture.width);
      return scaled(picture, (side) =>
        target.round ? roundHalfEven(side * scale) : Math.floor(side * scale),
      );
    }
    case 'covering': {
      const scale = Math.max(target.height / picture.height, target.width / picture.width);
      return scaled(picture, (side) => roundHalfEven(side * scale));
    }
  }
}

function shortest(edge: number, longest: number, { width, height }: Size): Size {
  const [short, long] = width <= height ? [width, height] : [height, width];
  const tooLong = (long / short) * edge > longest;
  const exact = tooLong ? (longest * short) / long : edge;
  const newShort = tooLong ? roundHalfEven(exact) : edge;
  const newLong = Math.max(1, Math.floor((exact * long) / short));
  return width <= height ? { width: newShort, height: newLong } : { width: newLong, height: newShort };
}

const scaled = ({ width, height }: Size, scale: (side: number) => number): Size => ({
  width: Math.max(1, scale(width)),
  height: Math.max(1, scale(height)),
});
