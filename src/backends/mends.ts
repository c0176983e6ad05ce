import type { Repair } from '../loop/index.js';
import { readRepair } from './comfyui/index.js';
import type { BackendKind } from './port.js';

const menders: Record<Repair['with'], BackendKind> = { adetailer: 'a1111', workflow: 'comfyui' };

/** Whether servers of this kind can mend an image so: ADetailer is an extension of A1111's family, workflows are ComfyUI's. */
export function canMend(kind: BackendKind, repair: Repair): boolean {
  return menders[repair.with] === kind;
}

/** ConfigError where no server could mend so: the workflow cannot be read, or is none that takes a picture. */
export async function checkRepair(repair: Repair): Promise<void> {
  if (repair.with === 'workflow') await readRepair(repair);
}
