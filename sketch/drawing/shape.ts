/** Points in hand units: the palm is about 80 wide, the wrist at 0,0, fingers point to negative y. */
export interface Point {
  x: number;
  y: number;
}

/** A point of a limb's centre line and how thick the limb is there. */
export interface Station extends Point {
  radius: number;
}

const degree = Math.PI / 180;

/** The point `length` away at `angle` degrees, clockwise from straight up. */
export const towards = (from: Point, angle: number, length: number): Point => ({
  x: from.x + Math.sin(angle * degree) * length,
  y: from.y - Math.cos(angle * degree) * length,
});

const show = (point: Point) => `${point.x.toFixed(1)} ${point.y.toFixed(1)}`;

/** A smooth SVG path through the points (Catmull-Rom as Bézier curves). */
export function smooth(points: Point[], closed: boolean): string {
  const at = (index: number): Point => {
    const wrapped = closed
      ? (index + points.length) % points.length
      : Math.min(points.length - 1, Math.max(0, index));
    return points[wrapped] ?? { x: 0, y: 0 };
  };
  let path = `M${show(at(0))}`;
  for (let i = 0; i < points.length - (closed ? 0 : 1); i++) {
    const [before, from, to, after] = [at(i - 1), at(i), at(i + 1), at(i + 2)];
    const leave = { x: from.x + (to.x - before.x) / 6, y: from.y + (to.y - before.y) / 6 };
    const arrive = { x: to.x - (after.x - from.x) / 6, y: to.y - (after.y - from.y) / 6 };
    path += `C${show(leave)} ${show(arrive)} ${show(to)}`;
  }
  return closed ? `${path}Z` : path;
}

/** The outline of a limb with a round end, `scale` times as thick, shifted sideways by `shift` radii. */
export function limb(stations: Station[], scale = 1, shift = 0): string {
  return smooth(limbOutline(stations, scale, shift), true);
}

export function limbOutline(stations: Station[], scale = 1, shift = 0): Point[] {
  const left: Point[] = [];
  const right: Point[] = [];
  let angle = 0;
  stations.forEach((station, i) => {
    const before = stations[Math.max(0, i - 1)] ?? station;
    const after = stations[Math.min(stations.length - 1, i + 1)] ?? station;
    angle = Math.atan2(after.x - before.x, before.y - after.y) / degree;
    const centre = towards(station, angle + 90, station.radius * shift);
    left.push(towards(centre, angle - 90, station.radius * scale));
    right.push(towards(centre, angle + 90, station.radius * scale));
  });
  const end = stations.at(-1);
  if (!end) return [];
  const tip = towards(end, angle + 90, end.radius * shift);
  const round = [-45, 0, 45].map((turn) => towards(tip, angle + turn, end.radius * scale));
  return [...left, ...round, ...right.reverse()];
}
