/**
 * PyTorch's words for memory that is full, of every kind of device: a smaller picture or another moment may do.
 * CUDA, HIP, MPS and XPU say "out of memory", DirectML "not enough GPU video memory available", the CPU "not
 * enough memory", NumPy and Windows have words of their own.
 */
const memory =
  /out ?of ?memory|not enough (?:GPU video )?memory|allocation on device|can't allocate memory|STATUS_ALLOC_FAILED|MemoryError|Unable to allocate|paging file is too small/i;

/**
 * Errors after which a process can do nothing more with its GPU, whatever it is asked for: CUDA calls them sticky
 * (https://docs.nvidia.com/cuda/cuda-runtime-api/group__CUDART__TYPES.html: "the process must be terminated and
 * relaunched"), other drivers a lost device. The last is Forge's and A1111's, whose model is gone for good.
 */
const broken =
  /illegal (?:memory access|address|instruction)|misaligned address|device-side assert|unspecified launch failure|launch timed out and was terminated|hardware stack error|uncorrectable ECC|(?:CUDA|HIP) error: unknown error|driver shutting down|busy or unavailable|context is destroyed|DEVICE_(?:LOST|REMOVED|HUNG)|device (?:instance )?(?:is|was|has been) (?:lost|removed|suspended)|has no attribute 'sd_checkpoint_info'/i;

/** What a server's words about its GPU mean. `broken`: it fails whatever comes, until it is restarted. */
export function readGpuError(words: string): 'memory' | 'broken' | undefined {
  if (broken.test(words)) return 'broken';
  return memory.test(words) ? 'memory' : undefined;
}
