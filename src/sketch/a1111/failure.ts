import { HttpAnswer } from '../http.js';

/** An answer in the form that the server gives its own exceptions. */
export type Failures = (status: number, error: string, detail: string, errors?: string) => HttpAnswer;

/** AUTOMATIC1111's form: class name, detail, body and str(e). */
export const a1111Failure: Failures = (status, error, detail, errors = '') =>
  new HttpAnswer(status, { error, detail, body: '', errors });

export const OUT_OF_MEMORY =
  'CUDA out of memory. Tried to allocate 1.50 GiB (GPU 0; 8.00 GiB total capacity; 6.71 GiB already allocated; ' +
  '0 bytes free; 6.85 GiB reserved in total by PyTorch) If reserved memory is >> allocated memory try setting ' +
  'max_split_size_mb to avoid fragmentation.  See documentation for Memory Management and PYTORCH_CUDA_ALLOC_CONF';
