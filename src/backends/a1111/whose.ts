import { BackendError } from '../../errors.js';
import type { Body } from './mapping.js';
import type { Picture } from './reply.js';

/**
 * Extensions of the server put other words in the place of these, or take them out: `<lora:...>`, `{a|b}`, `__name__`,
 * and comments.
 */
const replaced = /<[^<>]*>|\{[^{}]*\}|__[^\s_].*?__|#.*$/gm;

/** Letters of an infotext that are looked at, besides the prompt's own: room for styles, and no work without end. */
const maxInfotext = 20_000;

/**
 * A cache before the server, a proxy that mixes replies up, or a server that is stuck sends an image of somebody else.
 * Throws a transient BackendError where the reply, or the picture itself, names another prompt or seed than was asked
 * for (`body`, as sent). Styles and extensions may add words; what was asked for must still be among them.
 */
export function checkWhose(backend: string, body: Body, { info, infotexts }: Picture): void {
  const { prompt, seed, script_name: script } = body;
  const used = info.all_seeds?.[0] ?? info.seed ?? seedOf(infotexts[0]);
  // -1 is a seed of the server's choice.
  if (typeof seed === 'number' && seed !== -1 && used !== undefined && used !== seed) {
    throw another(backend, `seed ${seed} was asked for, and it is of seed ${used}`);
  }
  // A prompt matrix makes several prompts of one.
  if (typeof prompt !== 'string' || script) return;
  const parts = prompt.split(replaced).map(plain);
  for (const named of infotexts) {
    const words = plain(named.slice(0, maxInfotext + 4 * prompt.length));
    if (parts.every((part) => words.includes(part))) continue;
    throw another(
      backend,
      `"${shorten(prompt)}" was asked for, and it is of "${shorten(named)}". An extension that writes prompts anew does this too: switch it off there`,
    );
  }
}

function another(backend: string, what: string): BackendError {
  return new BackendError(
    `sent the image of another request: ${what}. Look for a cache or a proxy before it; restart it.`,
    { backend, fault: 'transient' },
  );
}

/** The infotext's last line: `Steps: 20, Sampler: Euler, ..., Seed: 7, Size: 64x64`. */
function seedOf(infotext: string | undefined): number | undefined {
  const settings = infotext?.slice(infotext.lastIndexOf('\n') + 1);
  const seed = settings === undefined ? undefined : /(?:^|, )Seed: (\d+)(?:,|$)/.exec(settings)?.[1];
  return seed === undefined ? undefined : Number(seed);
}

/** Letters and digits in lower case, in one line: servers change quotes, brackets and white space. */
const plain = (text: string): string =>
  text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim();

const shorten = (text: string): string => (text.length > 80 ? `${text.slice(0, 79)}…` : text);
