import { settle, settingOf, type ImageRequest, type Json } from '../../loop/index.js';
import type { Sent } from '../port.js';
import { shown, type Shown } from '../settings.js';
import { linkOf, valueAt, type Graph } from './graph.js';
import type { Workflow } from './workflow.js';

/** The settings as a graph has them, in the request's words. What its nodes compute is not among them. */
export function ownSettings(graph: Graph, { bindings }: Pick<Workflow, 'bindings'>): Partial<ImageRequest> {
  const entries = shown.flatMap((setting): [Shown, Json][] => {
    const [target] = bindings[setting] ?? [];
    const value = target && valueAt(graph, target);
    if (value === undefined || linkOf(value) !== undefined) return [];
    if (texts.has(setting)) return [[setting, value]];
    const number = Number(value); // a number may be written as text
    if (!Number.isFinite(number)) return [];
    return [[setting, setting === 'clip_skip' ? Math.abs(number) : number]];
  });
  return Object.fromEntries(entries);
}

const texts: ReadonlySet<Shown> = new Set(['sampler', 'scheduler', 'checkpoint', 'vae', 'negative_prompt']);

/**
 * A request with the changes that waited for the workflow's values applied to them. What it leaves out is left out
 * still: that stays as the workflow has it. `adjust` holds the changes that have nothing to count from.
 */
export function resolve(request: ImageRequest, workflow: Workflow): ImageRequest {
  const settled = settle(request, ownSettings(workflow.graph, workflow));
  const changed = new Set((request.adjust ?? []).flatMap((one) => Object.keys(one)).map(settingOf));
  const said = Object.entries(settled).filter(
    ([setting]) => setting === 'adjust' || setting in request || changed.has(setting),
  );
  return Object.fromEntries(said) as unknown as ImageRequest;
}

/** What of a request goes into a workflow, setting by setting, and what the workflow has beside it. */
export function sentOf(request: ImageRequest, workflow: Workflow): Sent[] {
  const said = resolve(request, workflow);
  const own = ownSettings(workflow.graph, workflow);
  return shown.flatMap((setting): Sent[] => {
    const asked = said[setting];
    if (workflow.bindings[setting] === undefined) {
      return asked === undefined ? [] : [{ setting, value: asked, from: 'nowhere' }];
    }
    if (asked !== undefined) return [{ setting, value: asked, from: 'pipeline' }];
    const value = own[setting];
    return [{ setting, from: 'workflow', ...(value !== undefined && { value }) }];
  });
}
