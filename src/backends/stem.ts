/**
 * A model's name without folders, hash and file ending, in lower case: servers and people spell one name in
 * several ways (`art/Hands.safetensors [abc1234567]`, `hands`).
 */
export function stem(name: string): string {
  return withoutHash(name)
    .replace(/^.*[\\/]/, '')
    .replace(/\.(safetensors|ckpt|pth?|gguf|sft)$/i, '')
    .toLowerCase();
}

/**
 * The one of a server's `names` that is meant: as it is written; else with slashes and letter case levelled, and
 * without a hash behind it; else by its stem. Undefined where none fits, or several fit equally well.
 */
export function meant(asked: string, names: readonly string[]): string | undefined {
  if (names.includes(asked)) return asked;
  for (const plain of [levelled, stem]) {
    const [found, ...others] = new Set(names.filter((name) => plain(name) === plain(asked)));
    if (found !== undefined) return others.length === 0 ? found : undefined;
  }
  return undefined;
}

function levelled(name: string): string {
  return withoutHash(name).replaceAll('\\', '/').toLowerCase();
}

function withoutHash(name: string): string {
  return name.replace(/\[[0-9a-f]+\]$/i, '').trimEnd();
}
