import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A way to a server on the loopback that a test can bar, or lead elsewhere. */
export interface Way {
  port: number;
  /** Where new connections lead. */
  leadTo(port: number): void;
  /** Breaks what is connected, and answers all that comes with what `answer` says. `undefined`: lets it pass again. */
  bar(answer: ((data: Buffer) => string | Buffer) | undefined): void;
  close(): Promise<void>;
}

export async function openWay(to: number): Promise<Way> {
  let target = to;
  let answer: ((data: Buffer) => string | Buffer) | undefined;
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): Socket => {
    sockets.add(socket);
    return socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
  };
  const server = createServer((near) => {
    keep(near);
    if (answer) {
      near.on('data', (data) => near.write(answer?.(data) ?? ''));
      return;
    }
    const far = keep(connect(target, '127.0.0.1'));
    near.pipe(far).pipe(near);
    near.on('close', () => far.destroy());
    far.on('close', () => near.destroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = () => sockets.forEach((socket) => socket.destroy());
  return {
    port: (server.address() as AddressInfo).port,
    leadTo: (port) => (target = port),
    bar(given) {
      answer = given;
      cut();
    },
    async close() {
      server.close();
      cut();
      await once(server, 'close');
    },
  };
}
