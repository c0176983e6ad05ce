/** `1,200`. */
export const count = (value: number): string => value.toLocaleString('en-US');

/** `950`, `1.2K`. */
export const compact = (value: number): string => value.toLocaleString('en-US', { notation: 'compact' });

export const percent = (part: number, whole: number): string =>
  whole === 0 ? '0%' : `${Number(((part / whole) * 100).toFixed(part / whole < 0.1 ? 1 : 0))}%`;

/** What is longer is in the manifest: a page must not grow with what a prompt holds. */
export const cut = (text: string, letters: number): string =>
  text.length <= letters ? text : `${text.slice(0, letters).replace(/[\ud800-\udbff]$/, '')}…`;

export function duration(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
}
