export { RetryLater } from './port.js';
export type { Job, JobData, NewJob, Queues, Worker, WorkOptions } from './port.js';
export { openQueues, type QueuePlace } from './queues.js';
