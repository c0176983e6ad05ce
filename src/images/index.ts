export { openCandidates, type Candidates } from './candidates.js';
export { pathInside } from './files.js';
export { Pictures } from './pictures.js';
export { hideInImage } from './hide.js';
export { inspectImage, samePixels, type ImageFacts, type ImageFormat } from './inspect.js';
export { withoutPictures } from './light.js';
export { addTextChunk, readTextChunks } from './png.js';
export { provenanceKeyword, publish, readProvenance, type Provenance } from './publish.js';
