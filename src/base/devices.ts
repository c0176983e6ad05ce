/** Where a classifier runs: the names of onnxruntime's execution providers. */
export const devices = ['cpu', 'cuda', 'webgpu', 'dml', 'coreml'] as const;
export type Device = (typeof devices)[number];
