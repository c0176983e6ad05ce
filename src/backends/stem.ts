/**
 * A model's name without folders, hash and file ending, in lower case: servers and people spell one name in
 * several ways (`art/Hands.safetensors [abc1234567]`, `hands`).
 */
export function stem(name: string): string {
  return name
    .replace(/\s*\[[0-9a-f]+\]$/i, '')
    .replace(/^.*[\\/]/, '')
    .replace(/\.(safetensors|ckpt|pth?|gguf|sft)$/i, '')
    .toLowerCase();
}
