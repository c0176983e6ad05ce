import type { Random } from './random.js';
import { towards, type Point, type Station } from './shape.js';
import type { Defect } from './truth.js';

/** A finger or thumb: its centre line from inside the palm to the tip, its joints and the angle of its last bone. */
export interface Digit {
  thumb: boolean;
  stations: Station[];
  joints: Station[];
  tip: Station;
  tipAngle: number;
  /** Where it parts from the finger that it grew out of. */
  fork?: Point;
}

export interface Hand {
  view: 'palm' | 'back';
  digits: Digit[];
  /** Closed outline of the palm. */
  palm: Point[];
  /** Half the width of the palm, against that of a good hand. */
  breadth: number;
  /** Four corners of the skin that joins two fused fingers. */
  web?: Point[];
  pose: Pose;
}

export type Pose = 'open' | 'waving' | 'resting' | 'curled';

/** Degrees between neighbouring fingers, and how much of their length is seen. */
const poses: Record<Pose, { gap: [number, number]; length: [number, number] }> = {
  open: { gap: [6, 9], length: [0.95, 1.05] },
  waving: { gap: [10, 13.5], length: [0.95, 1.05] },
  resting: { gap: [3.2, 4.8], length: [0.92, 1.02] },
  curled: { gap: [4.5, 8], length: [0.68, 0.8] },
};

/** Length of the fingers from index (0) to little finger (1), in between by interpolation. */
const lengthProfile = [82, 93, 86, 66];
const heightProfile = [-95, -103, -100, -88];

function along(profile: number[], t: number): number {
  const place = t * (profile.length - 1);
  const index = Math.min(profile.length - 2, Math.floor(place));
  const [low = 0, high = 0] = profile.slice(index, index + 2);
  return low + (high - low) * (place - index);
}

interface Bones {
  base: Point;
  angle: number;
  length: number;
  radius: number;
  /** Degrees that each joint turns. */
  bend: number;
  thumb?: boolean;
}

/** Two or three bones that taper, with a little swelling at each joint. */
function digit({ base, angle, length, radius, bend, thumb = false }: Bones): Digit {
  const shares = thumb ? [0.56, 0.44] : [0.44, 0.31, 0.25];
  const root = towards(base, angle + 180, thumb ? 18 : 22);
  const stations: Station[] = [
    { ...root, radius: radius * (thumb ? 1.2 : 1.05) },
    { ...base, radius: radius * (thumb ? 1.12 : 1.02) },
  ];
  const joints: Station[] = [];
  let from = base;
  let turned = angle;
  shares.forEach((share, bone) => {
    const bones = length - radius * 0.8;
    const thin = radius * (0.96 - bone * 0.09);
    stations.push({ ...towards(from, turned, bones * share * 0.5), radius: thin * 0.97 });
    from = towards(from, turned, bones * share);
    const last = bone === shares.length - 1;
    stations.push({ ...from, radius: last ? thin * 0.84 : thin * 1.0 });
    if (!last) {
      joints.push({ ...from, radius: thin });
      turned += bend;
    }
  });
  const tip = stations.at(-1) ?? { ...from, radius };
  return { thumb, stations, joints, tip, tipAngle: turned };
}

/** Draws lots for a hand and builds it: thumb on the left, upright. The painter mirrors and turns it. */
export function buildHand(random: Random, defect: Defect | undefined): Hand {
  const pose = random.pick(['open', 'waving', 'waving', 'resting', 'curled'] as const);
  const view = random.pick(['palm', 'back'] as const);
  const { gap: gaps, length: lengths } = poses[pose];
  const gap = random.between(...gaps);
  const seen = random.between(...lengths);
  const stout = random.between(0.94, 1.06);
  const lean = random.between(-3, 3);
  const jitter = Array.from({ length: 6 }, () => random.between(-1, 1));
  const thumbAngle = random.between(-52, -36) + (pose === 'resting' ? 10 : 0);
  const thumbLength = random.between(68, 78);

  const count = defect === 'six fingers' ? 5 : defect === 'four fingers' ? 3 : 4;
  const breadth = { 3: 0.84, 4: 1, 5: 1.2 }[count];
  const radius = 11.3 * stout;
  const bones: Bones[] = Array.from({ length: count }, (_, i) => {
    const t = i / (count - 1);
    return {
      base: { x: (-37 + 74 * t) * breadth, y: along(heightProfile, t) },
      angle: (t - 0.46) * gap * (count - 1) + lean + (jitter[i] ?? 0) * 1.2,
      length: along(lengthProfile, t) * seen * (1 + (jitter[i] ?? 0) * 0.03),
      radius: radius * (1 - 0.14 * t),
      bend: (0.5 - t) * (pose === 'curled' ? 7 : 3) + (jitter[i + 1] ?? 0) * 1.5,
    };
  });

  const odd = random.next();
  const first = Math.floor(odd * 3);
  let web: Point[] | undefined;
  const [a, b] = bones.slice(first, first + 2);
  if (defect === 'fused fingers' && a && b) {
    const middle = { x: (a.base.x + b.base.x) / 2, y: (a.base.y + b.base.y) / 2 };
    const angle = (a.angle + b.angle) / 2;
    const length = Math.max(a.length, b.length);
    const thick = (a.radius + b.radius) / 2;
    [a, b].forEach((bone, i) => {
      bone.base = towards(middle, angle + 90, (i - 0.5) * 2 * thick * 0.96);
      bone.angle = angle;
      bone.length = length * (i === 0 ? 1 : 0.95);
      bone.radius = thick;
      bone.bend = 0;
    });
    const [left, right] = [a, b].map(({ base }, i) => towards(base, angle + 90, (i - 0.5) * thick * 0.8));
    if (left && right) {
      web = [
        towards(left, angle, -12),
        towards(left, angle, length * 0.84),
        towards(right, angle, length * 0.82),
        towards(right, angle, -12),
      ];
    }
  }

  const digits = bones.map(digit);
  const split = Math.min(first, 2);
  const forked = bones[split];
  if (defect === 'forked finger' && forked) {
    const whole = digits[split];
    const joint = whole?.joints[0];
    if (joint) {
      digits.splice(split, 1, ...[-21, 21].map((turn) => fork(forked, joint, turn)));
    }
  }

  const thumb: Bones = {
    base: { x: -33 * Math.sqrt(breadth), y: -42 },
    angle: thumbAngle,
    length: thumbLength * (pose === 'curled' ? 0.9 : 1),
    radius: 13.2 * stout,
    bend: random.between(6, 16),
    thumb: true,
  };
  digits.push(digit(thumb));
  if (defect === 'two thumbs') {
    digits.push(
      digit({
        ...thumb,
        base: { x: 31, y: -44 },
        angle: -thumb.angle - 2,
        bend: -thumb.bend,
        length: thumb.length * 0.95,
      }),
    );
  }
  return { view, digits, palm: palm(breadth), breadth, pose, ...(web ? { web } : {}) };
}

/** One prong of a finger that splits at its first joint. */
function fork(bones: Bones, joint: Station, turn: number): Digit {
  const prong = digit({
    ...bones,
    base: joint,
    angle: bones.angle + turn,
    length: bones.length * 0.66,
    radius: bones.radius * 0.9,
    bend: -turn * 0.25,
  });
  const root = towards(bones.base, bones.angle + 180, 22);
  const stem = [root, bones.base, joint].map((point) => ({ ...point, radius: bones.radius }));
  return { ...prong, fork: joint, stations: [...stem, ...prong.stations.slice(2)] };
}

function palm(breadth: number): Point[] {
  const half = 47 * breadth;
  return [
    { x: -22, y: 12 },
    { x: -29, y: -8 },
    { x: -40 * Math.sqrt(breadth), y: -34 },
    { x: -half * 0.98, y: -70 },
    { x: -half * 0.98, y: -92 },
    { x: -half * 0.62, y: -107 },
    { x: -half * 0.1, y: -110 },
    { x: half * 0.5, y: -104 },
    { x: half * 0.93, y: -90 },
    { x: half * 0.99, y: -68 },
    { x: half * 0.86, y: -32 },
    { x: 29, y: -8 },
    { x: 22, y: 12 },
  ];
}
