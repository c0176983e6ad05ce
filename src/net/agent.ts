import http from 'node:http';
import https from 'node:https';

const connectMs = 10_000;

/** Less than the 5 s after which uvicorn closes an idle connection. */
const idleMs = 3_000;

export interface Agents {
  http: http.Agent;
  https: https.Agent;
}

/**
 * With `keepAlive` connections are used again. One that the server is closing just then loses the
 * request, and nobody knows whether it was read: good enough for questions, not for orders.
 */
export function openAgents(keepAlive: boolean): Agents {
  const options = keepAlive ? { keepAlive, timeout: idleMs } : { keepAlive };
  return {
    http: bounded(new http.Agent(options), 'connect'),
    https: bounded(new https.Agent(options), 'secureConnect'),
  };
}

/** Node itself waits for a host that does not answer for two minutes. */
function bounded<A extends http.Agent>(agent: A, connected: string): A {
  const create = agent.createConnection.bind(agent);
  agent.createConnection = (requestOptions, callback) => {
    const socket = create(requestOptions, callback);
    if (socket) {
      const timer = setTimeout(() => socket.destroy(connectTimeout()), connectMs);
      const clear = () => clearTimeout(timer);
      socket.once(connected, clear).once('close', clear);
    }
    return socket;
  };
  return agent;
}

function connectTimeout(): Error {
  return Object.assign(new Error(`no connection within ${connectMs / 1000} s`), { code: 'ECONNTIMEOUT' });
}
