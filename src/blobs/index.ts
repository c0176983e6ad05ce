export { openBlobs, type Blobs } from './blobs.js';
