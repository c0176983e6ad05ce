export { writeManifest } from './manifest.js';
export { writeReport, type Report, type Truth } from './report.js';
export type { ReportAttempt, ReportShot } from './types.js';
