import { distance } from 'fastest-levenshtein';

/** Names a server has that look most like `asked`, best first, three at most; none where nothing is alike. */
export function near(asked: string, names: readonly string[]): string[] {
  const wanted = plain(asked);
  return [...new Set(names)]
    .map((name) => ({ name, far: far(wanted, plain(name)) }))
    .filter(({ far }) => far <= 0.5)
    .sort((a, b) => a.far - b.far || a.name.localeCompare(b.name))
    .slice(0, 3)
    .map(({ name }) => name);
}

/** 0 the same, 1 nothing in common. A name inside the other is always near: people leave out folders and suffixes. */
function far(a: string, b: string): number {
  const longest = Math.max(a.length, b.length, 1);
  const share = distance(a, b) / longest;
  return Math.min(a.length, b.length) >= 3 && (a.includes(b) || b.includes(a)) ? Math.min(share, 0.4) : share;
}

/** Letters and digits alone, without a hash in brackets or a file's ending. */
function plain(name: string): string {
  return name
    .replace(/\[[0-9a-f]+\]$/i, '')
    .trimEnd()
    .replace(/\.(safetensors|ckpt|pth?|gguf)$/i, '')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, '');
}
