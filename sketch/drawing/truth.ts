import { random } from './random.js';

/** What is asked for, in the words of A1111's API, and how often the sketch server errs. */
export interface DrawRequest {
  prompt: string;
  negative_prompt: string;
  seed: number;
  steps: number;
  cfg_scale?: number;
  /** Pixels. */
  width: number;
  /** Pixels. */
  height: number;
  /** 0 to 1: the probability of bad anatomy before steps and negative prompt lower it. */
  badRate: number;
  checkpoint?: string;
  /** The seed that the hand was painted over with; left out: it was not. The scene around it stays. */
  handSeed?: number;
}

export type Defect = 'six fingers' | 'four fingers' | 'fused fingers' | 'forked finger' | 'two thumbs';

/** What was really drawn. `label` is the default classifier's. */
export interface Truth {
  anatomy: 'good' | 'bad';
  style: 'realistic' | 'unrealistic';
  label: `${'Realistic' | 'Unrealistic'}_${'Bad' | 'Good'}_Anatomy`;
  defect?: Defect;
}

const glossyWords =
  /\b(anime|manga|cartoon|comic|3d|render(ed|ing)?|cgi|glossy|plastic|toon|illustration|figurine|doll|unrealistic)\b/i;
const naturalWords =
  /\b(photo(graph|graphy|realistic)?|realistic|realism|film|dslr|raw|analog|35mm|natural light|candid)\b/i;
const warning =
  /\b(extra|missing|fused|mutated|deformed|bad|malformed|poorly drawn|too many)[ _-](fingers?|hands?|digits?|thumbs?|anatomy|limbs?)\b/i;

const defects = ['six fingers', 'four fingers', 'fused fingers', 'forked finger', 'two thumbs'] as const;

/**
 * The part of a request that decides on the composition and on the luck of the draw. Steps and the negative
 * prompt are left out: they change how likely an error is, not the picture that would have been.
 */
export const composition = (request: DrawRequest): string =>
  JSON.stringify([
    request.prompt,
    request.seed,
    request.cfg_scale ?? null,
    request.width,
    request.height,
    request.checkpoint ?? null,
  ]);

/** The part of a request that decides on the hand in that composition. */
export const handOf = (request: DrawRequest): string =>
  composition(request) + (request.handSeed === undefined ? '' : ` repainted ${request.handSeed}`);

/** The probability of bad anatomy. 0 and 1 stay what they are, so that a test can rely on them. */
export function badProbability(request: DrawRequest): number {
  if (request.badRate <= 0 || request.badRate >= 1) return Math.min(1, Math.max(0, request.badRate));
  const patience = request.steps > 20 ? 0.85 : 1;
  const care = warning.test(request.negative_prompt) ? 0.85 : 1;
  return request.badRate * patience * care;
}

function styleOf(request: DrawRequest): Truth['style'] {
  const glossy = glossyWords.test(request.prompt);
  const natural = naturalWords.test(request.prompt);
  if (glossy !== natural) return glossy ? 'unrealistic' : 'realistic';
  return random('style', composition(request)).chance(0.5) ? 'unrealistic' : 'realistic';
}

/** What `draw` will draw for a request, known without drawing it. */
export function sketchTruth(request: DrawRequest): Truth {
  const luck = random('luck', handOf(request));
  const bad = luck.next() < badProbability(request);
  const defect = luck.pick(defects);
  const style = styleOf(request);
  return {
    anatomy: bad ? 'bad' : 'good',
    style,
    label: `${style === 'realistic' ? 'Realistic' : 'Unrealistic'}_${bad ? 'Bad' : 'Good'}_Anatomy`,
    ...(bad ? { defect } : {}),
  };
}
