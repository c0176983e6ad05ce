export { addressOf } from './address.js';
export { excerpt, HttpClient, type CallOptions } from './client.js';
export { withDeadline } from './deadline.js';
export { NetError, type NetFault } from './errors.js';
export { parseJson } from './json.js';
export { readLines, type LineOptions } from './lines.js';
export { ReconnectingSocket, type SocketOptions } from './socket.js';
