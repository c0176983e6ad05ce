/** torch's words when the GPU's memory is full. */
export const outOfMemory =
  'CUDA out of memory. Tried to allocate 1.50 GiB (GPU 0; 8.00 GiB total capacity; 6.71 GiB already allocated; ' +
  '0 bytes free; 6.85 GiB reserved in total by PyTorch) If reserved memory is >> allocated memory try setting ' +
  'max_split_size_mb to avoid fragmentation.  See documentation for Memory Management and PYTORCH_CUDA_ALLOC_CONF';

/** torch's words when a kernel broke the process's CUDA context: whatever it is asked for fails from now on. */
export const illegalAccess =
  'CUDA error: an illegal memory access was encountered\n' +
  'CUDA kernel errors might be asynchronously reported at some other API call, so the stacktrace below might be ' +
  'incorrect.\nFor debugging consider passing CUDA_LAUNCH_BLOCKING=1\n' +
  'Compile with `TORCH_USE_CUDA_DSA` to enable device-side assertions.';
