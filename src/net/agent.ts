import http from 'node:http';
import https from 'node:https';

const connectMs = 10_000;

/**
 * Connections kept alive for less than the 5 s after which uvicorn, which all these servers run
 * on, closes an idle one: a request on a connection that is being closed would be lost.
 */
const options: http.AgentOptions = { keepAlive: true, timeout: 3_000 };

export interface Agents {
  http: http.Agent;
  https: https.Agent;
}

export function openAgents(): Agents {
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
