export { writeManifest } from './manifest.js';
export { firstPage } from './pages.js';
export { writeReport, type Report } from './report.js';
export type { Truth } from './overview.js';
export { writeThumbnail } from './thumbnail.js';
export type { ReportAttempt, ReportShot } from './types.js';
