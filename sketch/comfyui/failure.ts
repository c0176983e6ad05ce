import { ServerGone } from '../gpu.js';

/** Somebody interrupted the prompt. */
export class Interrupted extends Error {
  override readonly name = 'InterruptProcessingException';
}

export type Thrown =
  'interrupted' | { exception_message: string; exception_type: string; traceback: string[] };

const outOfMemory =
  'Allocation on device 0 would exceed allowed memory. (out of memory)\n' +
  'Currently allocated     : 7.05 GiB\nRequested               : 1.50 GiB\n' +
  'This error means you ran out of memory on your GPU.\n\n' +
  'TIPS: If the workflow worked before you might have accidentally set the batch_size to a large number.';

const illegalAccess =
  'CUDA error: an illegal memory access was encountered\n' +
  'CUDA kernel errors might be asynchronously reported at some other API call, so the stacktrace below might be incorrect.\n' +
  'For debugging consider passing CUDA_LAUNCH_BLOCKING=1\n' +
  'Compile with `TORCH_USE_CUDA_DSA` to enable device-side assertions.\n';

const shapes =
  'mat1 and mat2 shapes cannot be multiplied (154x2048 and 768x320)\n\n\n' +
  'TIPS: If you have any "Load CLIP" or "*CLIP Loader" nodes in your workflow connected to this sampler node ' +
  'make sure the correct file(s) and type is selected.';

/** What ComfyUI says about an exception. @throws ServerGone: then there is nobody left to say it to. */
export function failure(error: unknown): Thrown {
  if (error instanceof ServerGone) throw error;
  if (error instanceof Interrupted) return 'interrupted';
  const message = error instanceof Error ? error.message : String(error);
  const traceback = [
    '  File "execution.py", line 530, in execute\n    output_data, output_ui = await get_output_data(\n',
  ];
  if (message === 'out-of-memory') {
    return { exception_message: outOfMemory, exception_type: 'torch.OutOfMemoryError', traceback };
  }
  if (message === 'poisoned') {
    return { exception_message: illegalAccess, exception_type: 'torch.AcceleratorError', traceback };
  }
  if (message === 'execution-error') {
    return { exception_message: shapes, exception_type: 'RuntimeError', traceback };
  }
  return { exception_message: `${message}\n`, exception_type: 'Exception', traceback };
}
