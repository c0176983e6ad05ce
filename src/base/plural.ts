/** `1 shot`, `2 shots`. `format`: how the number is written. */
export function plural(count: number, word: string, format: (count: number) => string = String): string {
  return `${format(count)} ${word}${count === 1 ? '' : 's'}`;
}
