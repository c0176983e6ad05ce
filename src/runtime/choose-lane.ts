/** A lane as a backend sees it that looks for work. */
export interface LaneView {
  lane: string;
  /** Jobs that nobody has taken yet. */
  waiting: number;
  /** The largest priority that is due in it. */
  priority: number;
  /** Backends that are on it now, the one that looks left out. */
  members: number;
  /** True where its checkpoint is the one that the backend has loaded. */
  loaded: boolean;
}

/**
 * The lane that a backend goes to when its own has nothing left for it. Every change of lane may cost a reload of
 * the checkpoint, so a backend stays until its lane is dry, then prefers what it has loaded, what is most
 * urgent, what nobody else serves, and what has most to do, in this order.
 */
export function chooseLane(lanes: readonly LaneView[]): string | undefined {
  const open = lanes.filter(({ waiting }) => waiting > 0);
  open.sort(
    (a, b) =>
      Number(b.loaded) - Number(a.loaded) ||
      b.priority - a.priority ||
      a.members - b.members ||
      b.waiting - a.waiting ||
      (a.lane < b.lane ? -1 : 1),
  );
  return open[0]?.lane;
}
