import { type ChildProcess, spawn, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';

/** A server's process, from the line of its log that says that it is ready. */
export interface Daemon {
  /** kill -9, or another signal, until its last child is gone too. */
  kill(signal?: NodeJS.Signals): Promise<void>;
}

export async function startDaemon(
  command: string,
  args: string[],
  ready: string,
  options: SpawnOptions = {},
): Promise<Daemon> {
  const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  await saysReady(child, command, ready);
  return {
    async kill(signal = 'SIGKILL') {
      if (child.exitCode !== null || child.signalCode !== null) return;
      // 'close', not 'exit': its children hold its output. PostgreSQL's outlive it by moments, and until then it refuses
      // to start again on their memory.
      const gone = once(child, 'close');
      child.kill(signal);
      await gone;
    },
  };
}

function saysReady(child: ChildProcess, command: string, ready: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let log = '';
    const read = (text: string) => {
      log += text;
      if (log.includes(ready)) resolve();
    };
    child.stdout?.setEncoding('utf8').on('data', read);
    child.stderr?.setEncoding('utf8').on('data', read);
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`${command} ended at once:\n${log}`)));
  });
}

/** A port of the loopback that nobody uses now. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}
