/** torch's words when the GPU's memory is full. */
export const OUT_OF_MEMORY =
  'CUDA out of memory. Tried to allocate 1.50 GiB (GPU 0; 8.00 GiB total capacity; 6.71 GiB already allocated; ' +
  '0 bytes free; 6.85 GiB reserved in total by PyTorch) If reserved memory is >> allocated memory try setting ' +
  'max_split_size_mb to avoid fragmentation.  See documentation for Memory Management and PYTORCH_CUDA_ALLOC_CONF';
