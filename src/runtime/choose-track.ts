/** A track as an agent sees it that looks for work. */
export interface TrackView {
  track: string;
  /** Jobs that nobody has taken yet. */
  waiting: number;
  /** The largest priority that is due in it. */
  priority: number;
  /** Agents that are on it now, the one that looks left out. */
  members: number;
  /** True where its checkpoint is the one that the server has loaded. */
  loaded: boolean;
}

/**
 * The track that an agent goes to when its own has nothing left for it. Every change of track may cost a reload of
 * the checkpoint, so an agent stays until its track is dry, then prefers what its server has loaded, what is most
 * urgent, what nobody else serves, and what has most to do, in this order.
 */
export function chooseTrack(tracks: readonly TrackView[]): string | undefined {
  const open = tracks.filter(({ waiting }) => waiting > 0);
  open.sort(
    (a, b) =>
      Number(b.loaded) - Number(a.loaded) ||
      b.priority - a.priority ||
      a.members - b.members ||
      b.waiting - a.waiting ||
      (a.track < b.track ? -1 : 1),
  );
  return open[0]?.track;
}
