import { parseArgs } from 'node:util';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Worker } from 'node:worker_threads';
import { Inputs } from './inputs.js';
import { cleanUp, isForeseen, parsers, type Parser } from './parsers.js';

/**
 * Gives every parser of outside text inputs that it does not expect: `--inputs N` of them each, of `--seed`; `--only
 * NAME` one parser. Ends with 1 and the input's number where one crashes, takes more than 50 ms of CPU and 2 us a
 * byte, or leaves more than ten times its input in memory. One that hangs is killed by a watchdog.
 */
const { values } = parseArgs({
  options: {
    inputs: { type: 'string', default: '20000' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string' },
  },
});

const hangMs = 20_000;
const MiB = 1024 * 1024;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Which input is being read: the watchdog sees that it does not change, though nothing else moves here. */
const progress = new Int32Array(new SharedArrayBuffer(4));
const watchdog = new Worker(
  `const { workerData: { progress, hangMs } } = require('node:worker_threads');
   let last = -1;
   setInterval(() => {
     const now = Atomics.load(progress, 0);
     if (now === last) {
       require('node:fs').writeSync(2, 'input ' + now + ' hangs\\n');
       process.kill(process.pid, 'SIGKILL');
     }
     last = now;
   }, hangMs);`,
  { eval: true, workerData: { progress, hangMs } },
);
watchdog.unref();

/** Buffers are given back by callbacks of a later turn. */
async function collectAll(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) {
    collect();
    await setImmediate();
  }
}

const inMemory = () => {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
};

interface Cost {
  cpuMs: number;
  bytes: number;
}

async function read(parser: Parser, input: Buffer): Promise<Cost> {
  const memory = inMemory();
  const cpu = process.cpuUsage();
  const made: unknown[] = [];
  try {
    made.push(await parser.read(input));
  } catch (error) {
    if (!isForeseen(error)) throw error;
    made.push(error);
  }
  const { user, system } = process.cpuUsage(cpu);
  let bytes = inMemory() - memory;
  // Most of it is waste that nobody has collected yet: only what seems too much is weighed.
  if (bytes > tooMuch(input)) {
    await collectAll();
    const held = inMemory();
    made.length = 0;
    await collectAll();
    bytes = held - inMemory();
  }
  return { cpuMs: (user + system) / 1000, bytes };
}

const tooMuch = (input: Buffer) => MiB + 10 * input.length;
const tooLong = ({ usPerByte = 2 }: Parser, input: Buffer) => 50 + (usPerByte * input.length) / 1000;

async function fuzz(parser: Parser, count: number, seed: number): Promise<void> {
  const started = Date.now();
  let slowest = 0;
  // What a parser loads and compiles at its first work is no growth.
  for (const sample of parser.samples) await read(parser, sample);
  const inputs = new Inputs(seed);
  for (let number = 0; number < count; number++) {
    const input = inputs.mutate(parser.samples, parser.marks);
    Atomics.add(progress, 0, 1);
    const fail = (what: string): never => {
      throw new Error(
        `${parser.name}, input ${number} of seed ${seed} (${input.length} bytes) ${what}: ${JSON.stringify(input.toString('latin1', 0, 300))}`,
      );
    };
    let cost: Cost;
    try {
      cost = await read(parser, input);
      // Compiling and collecting cost CPU too, but not three times at the same input.
      for (let again = 0; again < 2 && cost.cpuMs > tooLong(parser, input); again++)
        cost = await read(parser, input);
    } catch (error) {
      return fail(`crashes: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    }
    if (cost.cpuMs > tooLong(parser, input)) fail(`takes ${Math.round(cost.cpuMs)} ms`);
    if (cost.bytes > tooMuch(input)) fail(`takes ${cost.bytes} bytes`);
    slowest = Math.max(slowest, cost.cpuMs);
  }
  console.log(
    `${parser.name}: ${count} inputs in ${Math.round((Date.now() - started) / 1000)} s, the slowest ${Math.round(slowest)} ms`,
  );
}

try {
  const chosen = parsers.filter(({ name }) => values.only === undefined || name === values.only);
  for (const parser of chosen) {
    try {
      await fuzz(parser, Number(values.inputs), Number(values.seed));
    } catch (error) {
      process.exitCode = 1;
      console.error((error as Error).message);
    }
  }
} finally {
  await cleanUp();
}
