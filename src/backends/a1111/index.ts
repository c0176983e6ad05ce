export { A1111Backend, type A1111Options } from './client.js';
