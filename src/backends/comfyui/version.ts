/** Whether a server is at least of that version. False where it does not say, or says something else. */
export function isAtLeast(version: string | undefined, least: readonly [number, number, number]): boolean {
  const [, ...parts] = /^v?(\d+)\.(\d+)\.(\d+)/.exec(version ?? '')?.map(Number) ?? [];
  const place = least.findIndex((part, at) => parts[at] !== part);
  return parts.length > 0 && (place === -1 || (parts[place] ?? 0) > (least[place] ?? 0));
}
