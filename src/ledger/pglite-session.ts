import { Duplex } from 'node:stream';
import type { PGlite } from '@electric-sql/pglite';
import { StorageError, toError } from '../errors.js';

/** Where PGlite's commits go: they are on the disk only once `settle` resolves. */
export interface Disk {
  readonly isPending: boolean;
  settle(): Promise<void>;
}

/**
 * Lets many PostgreSQL connections take turns at PGlite's one session. A turn is all messages up to
 * a Sync or a simple query; a connection that opened a transaction keeps the session until it ends.
 *
 * The frames are those of PostgreSQL's protocol 3.0: a type byte, a 4-byte length that counts
 * itself, the body. https://www.postgresql.org/docs/current/protocol-message-formats.html
 */
export class PGliteSession {
  readonly #db: Pick<PGlite, 'execProtocolRawStream'>;
  readonly #disk: Disk;
  readonly #listeners = new Set<Connection>();
  #turns: { connection: Connection; messages: Buffer }[] = [];
  /** Whose transaction is open. */
  #holder: Connection | undefined;
  #scheduled = false;
  /** Answers that wait for the disk, in order. */
  #answers: { connection: Connection; frames: Buffer }[] = [];
  #delivering = false;
  #broken: Error | undefined;

  constructor(db: Pick<PGlite, 'execProtocolRawStream'>, disk: Disk) {
    this.#db = db;
    this.#disk = disk;
  }

  /** What node-postgres takes for the socket to its server. */
  connect(): Duplex {
    return new Connection(this);
  }

  submit(connection: Connection, messages: Buffer): void {
    this.#turns.push({ connection, messages });
    this.#schedule();
  }

  /** The connection is gone: what it had open is rolled back. */
  leave(connection: Connection): void {
    this.#listeners.delete(connection);
    this.#turns = this.#turns.filter((turn) => turn.connection !== connection);
    if (this.#holder === connection) this.submit(connection, rollback);
  }

  /** One turn per round of the event loop: PGlite blocks while it works, and timers and sockets must live on. */
  #schedule(): void {
    if (this.#scheduled || !this.#turns.some((turn) => this.#mayRun(turn.connection))) return;
    this.#scheduled = true;
    setImmediate(() => {
      void this.#takeTurn().then(() => {
        this.#scheduled = false;
        this.#schedule();
      });
    });
  }

  #mayRun(connection: Connection): boolean {
    return this.#holder === undefined || this.#holder === connection;
  }

  async #takeTurn(): Promise<void> {
    const index = this.#turns.findIndex((turn) => this.#mayRun(turn.connection));
    const [turn] = index < 0 ? [] : this.#turns.splice(index, 1);
    if (!turn) return;
    const { connection } = turn;
    try {
      if (this.#broken) throw this.#broken;
      const answer: Buffer[] = [];
      // Its other ways to run raw messages keep every answer's rows for ever: a night's run would fill the memory.
      await this.#db.execProtocolRawStream(turn.messages, {
        syncToFs: false,
        // A view of PGlite's memory, where the next answer will be written.
        onRawData: (bytes) => void answer.push(Buffer.from(bytes)),
      });
      this.#take(connection, Buffer.concat(answer));
      void this.#deliver();
    } catch (error) {
      this.#break(connection, error);
    }
  }

  /** The WebAssembly itself failed, or the disk under it, not the SQL. */
  #break(connection: Connection, error: unknown): void {
    this.#broken ??= new StorageError(
      `The embedded database broke: ${toError(error).message}. Nothing that was recorded is lost: see that the disk is well and not full, then resume.`,
      { cause: error },
    );
    // Nobody may wait for a ROLLBACK that failed so: the others hear of it too.
    if (connection.destroyed) this.#holder = undefined;
    connection.destroy(this.#broken);
  }

  #take(connection: Connection, answer: Buffer): void {
    const own: Buffer[] = [];
    for (const { type, frame } of frames(answer)) {
      if (type === NOTIFICATION) {
        // The session listens on behalf of all; each takes what it knows and ignores the rest.
        for (const listener of this.#listeners) this.#answers.push({ connection: listener, frames: frame });
        continue;
      }
      if (type === COMMAND_COMPLETE && frame.subarray(5, 11).equals(listenTag))
        this.#listeners.add(connection);
      if (type === READY) this.#holder = frame[5] === IDLE ? undefined : connection;
      own.push(frame);
    }
    if (own.length > 0) this.#answers.push({ connection, frames: Buffer.concat(own) });
  }

  /** Hands answers out once all that was committed before them is on the disk. Those of a moment share one sync. */
  async #deliver(): Promise<void> {
    if (this.#delivering) return;
    this.#delivering = true;
    while (this.#answers.length > 0) {
      const answers = this.#answers.splice(0);
      try {
        if (this.#disk.isPending) await this.#disk.settle();
        for (const { connection, frames } of answers) if (!connection.destroyed) connection.push(frames);
      } catch (error) {
        for (const { connection } of answers) this.#break(connection, error);
      }
    }
    this.#delivering = false;
  }
}

/** One client's end of the wire, with as much of net.Socket as node-postgres uses. */
class Connection extends Duplex {
  readonly #session: PGliteSession;
  #received: Buffer = Buffer.alloc(0);
  #started = false;

  constructor(session: PGliteSession) {
    super({ decodeStrings: true });
    this.#session = session;
  }

  connect(): this {
    setImmediate(() => this.emit('connect'));
    return this;
  }
  setNoDelay(): this {
    return this;
  }
  setKeepAlive(): this {
    return this;
  }
  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }

  override _read(): void {
    // Answers are pushed as they come.
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    this.#start();
    if (this.#started) this.#submitTurns();
    done();
  }

  /** The startup message, the only one without a type byte, is answered here: the session runs already. */
  #start(): void {
    if (this.#started || this.#received.length < 4) return;
    const length = this.#received.readInt32BE(0);
    if (this.#received.length < length) return;
    this.#received = this.#received.subarray(length);
    this.#started = true;
    this.push(welcome);
  }

  #submitTurns(): void {
    let turn: Buffer[] = [];
    let submitted = 0;
    let seen = 0;
    for (const { type, frame } of frames(this.#received)) {
      seen += frame.length;
      if (type === TERMINATE) {
        submitted = seen;
        continue;
      }
      // A prepared statement belongs to the shared session, where another connection may have made it already.
      if (type === PARSE && frame[5] !== 0)
        turn.push(closeStatement(frame.subarray(5, frame.indexOf(0, 5) + 1)));
      turn.push(frame);
      if (type !== SYNC && type !== QUERY) continue;
      this.#session.submit(this, Buffer.concat(turn));
      turn = [];
      submitted = seen;
    }
    this.#received = this.#received.subarray(submitted);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.push(null);
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#session.leave(this);
    done(error);
  }
}

const byte = (character: string): number => character.charCodeAt(0);
const [PARSE, QUERY, SYNC, TERMINATE] = [byte('P'), byte('Q'), byte('S'), byte('X')];
const [NOTIFICATION, COMMAND_COMPLETE, READY, IDLE] = [byte('A'), byte('C'), byte('Z'), byte('I')];
const listenTag = Buffer.from('LISTEN');
/** AuthenticationOk and ReadyForQuery, idle. */
const welcome = Buffer.from([byte('R'), 0, 0, 0, 8, 0, 0, 0, 0, READY, 0, 0, 0, 5, IDLE]);
const rollback = message('Q', Buffer.from('ROLLBACK\0'));

function message(type: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.write(type, 'latin1');
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

/** Closing a statement that does not exist is no error. */
const closeStatement = (name: Buffer): Buffer => message('C', Buffer.concat([Buffer.from('S'), name]));

/** The whole messages in `bytes`, in order. */
function* frames(bytes: Buffer): Generator<{ type: number; frame: Buffer }> {
  let at = 0;
  while (at + 5 <= bytes.length) {
    const end = at + 1 + bytes.readInt32BE(at + 1);
    if (end > bytes.length) return;
    yield { type: bytes[at] ?? 0, frame: bytes.subarray(at, end) };
    at = end;
  }
}
