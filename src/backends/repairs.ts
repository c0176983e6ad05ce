import type { BackendKind, Repair } from '../loop/index.js';
import { readRepair } from './comfyui/index.js';
import type { ReadFile } from './port.js';

const repairers: Record<Repair['with'], BackendKind> = { adetailer: 'a1111', workflow: 'comfyui' };

/** Whether servers of this kind can repair an image so: ADetailer is an extension of A1111's family, workflows are ComfyUI's. */
export function canRepair(kind: BackendKind, repair: Repair): boolean {
  return repairers[repair.with] === kind;
}

/** ConfigError where no server could repair so: the workflow cannot be read, or is none that takes a picture. */
export async function checkRepair(repair: Repair, readFile: ReadFile): Promise<void> {
  if (repair.with === 'workflow') await readRepair(repair, readFile);
}
