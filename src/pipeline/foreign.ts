/**
 * The grammar of other programs, which is none here: it would be sent as words of the prompt. Each rule says what to
 * write instead; undefined where the text is nothing of the kind.
 */

/** Of A1111's script "Prompts from file or textbox", of its forks, and of Midjourney. */
const flags = new Set(
  (
    'prompt negative_prompt prompt_for_display styles style seed subseed subseed_strength seed_resize_from_h ' +
    'seed_resize_from_w sampler_index sampler_name sampler scheduler batch_size n_iter steps cfg_scale cfg width ' +
    'height restore_faces tiling do_not_save_samples do_not_save_grid outpath_samples outpath_grids sd_model ' +
    'checkpoint vae clip_skip denoising_strength enable_hr hr_scale hr_upscaler ' +
    'ar aspect no stylize s chaos c quality q version v niji iw sref cref sw cw tile weird w raw stop repeat'
  ).split(' '),
);

export interface Flag {
  at: number;
  /** Known as an option, or the text begins with it: surely none of its words. */
  sure: boolean;
}

/** `--steps 30` and the like, in the order of the text. `\--` is no flag. */
export function* flagsIn(text: string): Generator<Flag> {
  const first = text.search(/\S/);
  for (const match of text.matchAll(/(?<=^|\s)--([a-z][\w-]*)/gi)) {
    const name = (match[1] ?? '').toLowerCase().replaceAll('-', '_');
    yield { at: match.index, sure: flags.has(name) || match.index === first };
  }
}

export const flagAdvice =
  "options such as --steps are not read in a prompt, and would be sent as words of it. Write settings as columns of a .csv or .jsonl file (text, negative_prompt, steps, ...); for the text itself write '\\--'.";

/** At the `$` of `${`. */
export const variableAdvice =
  "variables ${...} of Dynamic Prompts are not read. Write the words out, or take a wildcard; the environment's are written ${NAME} in the pipeline alone. For the text itself write '$\\{'.";

const count = /\{\s*[~@]?\s*(?:\d*\s*-\s*)?\d*\s*\$\$/y;
const sampler = /\{\s*[~@!](?=[^{}]*\|)/y;

/** At a `{`: how it says that it is a choice of Dynamic Prompts that works in another way than ours. */
export function foreignChoice(text: string, at: number): string | undefined {
  if (matches(count, text, at))
    return "several of one choice ({2$$a|b|c} of Dynamic Prompts) are not read. Write choices one after another: {a|b}, {c|d}. For the text itself write '\\{'.";
  if (matches(sampler, text, at))
    return 'the samplers ~ and @ of Dynamic Prompts are not read: reroll draws each choice anew. Take the sign out, or let another option come first.';
  return undefined;
}

/** At a `{`: that braces of the text itself are meant. */
export function plainBraces(text: string, at: number): 'JSON' | '{prompt}' | undefined {
  if (matches(jsonObject, text, at)) return 'JSON';
  return matches(stylePrompt, text, at) ? '{prompt}' : undefined;
}

const jsonObject = /\{\s*(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')\s*:/y;
/** Where A1111's styles put the prompt. */
const stylePrompt = /\{prompt\}/iy;

export const braceAdvice =
  "braces without '|' are no choice. For the braces themselves write '\\{' and '\\}'; to weigh words, as NovelAI's braces do, write (words:1.05).";

const almostWeight = /\s*[-+]?\.?\d[\w.,+%-]*\s*::/y;

/** Behind the `{` or `|` of an option whose weight could not be read. */
export function badWeight(text: string, at: number): string | undefined {
  return matches(almostWeight, text, at)
    ? 'a weight is a number from 0 to 1000000000, as in {2::a|0.5::b}. For the text itself put something before it.'
    : undefined;
}

/** Why there is no file of a wildcard's name, where that is another program's grammar. */
export function foreignWildcard(name: string): string | undefined {
  if (/^[~@!]/.test(name))
    return `the samplers ~ and @ of Dynamic Prompts are not read: write __${name.slice(1)}__.`;
  if (/\(.*=.*\)$/.test(name))
    return `parameters of wildcards are not read: write __${name.slice(0, name.indexOf('('))}__.`;
  if (name.includes('\\')) return `between folders stands /: write __${name.replaceAll('\\', '/')}__.`;
  return undefined;
}

function matches(pattern: RegExp, text: string, at: number): boolean {
  pattern.lastIndex = at;
  return pattern.test(text);
}
