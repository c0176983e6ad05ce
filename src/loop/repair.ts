import type { Repair } from './types.js';

interface Traits {
  /** The prompt of the repaired part: variables may stand in it. */
  prompt?: string;
  /** Absolute path of the workflow's file. */
  workflow?: string;
  /** What a server must have: an extension, or the nodes of a workflow. */
  needs: string;
}

const traits: { [With in Repair['with']]: (repair: Extract<Repair, { with: With }>) => Traits } = {
  adetailer: ({ prompt }) => ({ needs: 'adetailer', ...(prompt !== undefined && { prompt }) }),
  workflow: ({ workflow }) => ({ needs: workflow, workflow }),
};

export function traitsOf(repair: Repair): Traits {
  return (traits[repair.with] as (repair: Repair) => Traits)(repair);
}

export const promptOfRepair = (repair: Repair): string | undefined => traitsOf(repair).prompt;
export const workflowOfRepair = (repair: Repair): string | undefined => traitsOf(repair).workflow;
