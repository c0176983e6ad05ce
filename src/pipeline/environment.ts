import { promptOfRepair, type ImageRequest, type Json, type Repair } from '../loop/index.js';
import { mapStrings } from './paths.js';

/**
 * Environment variables in prompts and in what goes to servers as it is. They stay `${NAME}` in all that is stored and
 * published, and are put in when a request is sent.
 */
export type Environment = ReadonlyMap<string, string>;

const late = new RegExp(
  '^(' +
    [
      'generate.SETTING',
      'prompts.N.(text|SETTING)',
      'prompts.N.matrix.SETTING',
      'retry.ladder.N.adjust.((negative_)?prompt(_append|_prepend|_replace)?|SETTING)',
      'retry.ladder.N.repair.prompt',
    ]
      .join('|')
      .replaceAll('.', '\\.')
      .replaceAll('SETTING', '(negative_prompt|(a1111|comfyui|negative_prompt)\\..*)')
      .replaceAll('N', '\\d+') +
    ')$',
);

/** Whether the variables of the text at this place are put in only when a request is sent. */
export const isLate = (path: readonly (string | number)[]): boolean => late.test(path.join('.'));

/** Whether the text at this place is a prompt with choices and wildcards. */
export const isTemplate = (path: readonly (string | number)[]): boolean =>
  /^(generate|prompts\.\d+(\.matrix)?)\.(text|negative_prompt)(\.\d+)?$/.test(path.join('.'));

/** The text itself, where it holds `${NAME}` of a variable that the pipeline uses: `$${NAME}`, as in the pipeline. */
export function escapeVariables(text: string, environment: { has(name: string): boolean }): string {
  return text.replace(/\$\{(\w+)\}/g, (whole, name: string) => (environment.has(name) ? `$${whole}` : whole));
}

/** What variables may stand in, of a request. */
export function lateParts({ prompt, negative_prompt: negative, adjust, a1111, comfyui }: ImageRequest) {
  return {
    prompt,
    ...(negative !== undefined && { negative_prompt: negative }),
    ...(adjust && { adjust }),
    ...(a1111 && { a1111 }),
    ...(comfyui && { comfyui }),
  };
}

/** A request with every `${NAME}` of the environment put in: what is sent, and never stored. */
export function putIntoRequest(request: ImageRequest, environment: Environment): ImageRequest {
  return { ...request, ...putIn(lateParts(request), environment) };
}

/** The same for a repair. */
export function putIntoRepair(repair: Repair, environment: Environment): Repair {
  const prompt = promptOfRepair(repair);
  return prompt === undefined ? repair : ({ ...repair, prompt: putIn(prompt, environment) } as Repair);
}

function putIn<T extends Json>(value: T, environment: Environment): T {
  if (environment.size === 0) return value;
  const put = (text: string) =>
    text.replace(/(\$?)\$\{(\w+)\}/g, (whole, escape: string, name: string) =>
      escape === '' ? (environment.get(name) ?? whole) : environment.has(name) ? whole.slice(1) : whole,
    );
  return mapStrings(value, [], put) as T;
}
