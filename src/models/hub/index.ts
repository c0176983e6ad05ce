export { openRoute } from './route.js';
export { hubSettings, type HubSettings, type Patience } from './settings.js';
export { fetchSnapshot, onnxFiles, type Snapshot } from './snapshot.js';
