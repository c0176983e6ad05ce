import { expect, it } from 'vitest';
import { readGpuError } from '../../src/backends/gpu-errors.js';

it.each([
  'OutOfMemoryError: CUDA out of memory. Tried to allocate 1.50 GiB (GPU 0; 8.00 GiB total capacity',
  'torch.OutOfMemoryError: Allocation on device 0 would exceed allowed memory. (out of memory)',
  'torch.AcceleratorError: CUDA error: out of memory',
  'HIP out of memory. Tried to allocate 20.00 MiB',
  'MPS backend out of memory (MPS allocated: 9.05 GB',
  'Could not allocate tensor with 4294967296 bytes. There is not enough GPU video memory available!',
  '[enforce fail at alloc_cpu.cpp:75] DefaultCPUAllocator: not enough memory: you tried to allocate 88473600 bytes.',
  'CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`',
  'MemoryError: Unable to allocate 3.16 GiB for an array',
])('memory is full: %s', (words) => {
  expect(readGpuError(words)).toBe('memory');
});

it.each([
  'torch.AcceleratorError: CUDA error: an illegal memory access was encountered',
  'RuntimeError: CUDA error: device-side assert triggered',
  'RuntimeError: CUDA error: misaligned address',
  'RuntimeError: CUDA error: unspecified launch failure',
  'CUDA error: the launch timed out and was terminated',
  'RuntimeError: CUDA error: all CUDA-capable devices are busy or unavailable',
  'RuntimeError: HIP error: unspecified launch failure',
  'The GPU device instance has been suspended. Use GetDeviceRemovedReason to determine the appropriate action.',
  'RuntimeError: Native API failed. Native API returns: 20 (UR_RESULT_ERROR_DEVICE_LOST)',
  "AttributeError: 'NoneType' object has no attribute 'sd_checkpoint_info'",
])('it must be restarted: %s', (words) => {
  expect(readGpuError(words)).toBe('broken');
});

it.each([
  'RuntimeError: CUDA error: no kernel image is available for execution on the device',
  'RuntimeError: CUDA error: invalid configuration argument',
  'mat1 and mat2 shapes cannot be multiplied (154x2048 and 768x320)',
  'Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu!',
  'A tensor with all NaNs was produced in VAE.',
  "KeyError: 'sd_model'",
])('it says neither: %s', (words) => {
  expect(readGpuError(words)).toBeUndefined();
});
