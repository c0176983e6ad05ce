import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, expect } from 'vitest';

/**
 * Set up before each test file: what a file leaves behind when its own hooks are through (a child process, a server, a
 * connection, a thread, a temporary file) fails it. What is left belongs to nobody, and shows up as another test's trouble.
 */

/** What keeps a process alive, timers left out: those of the test runner's are among them. */
const kinds =
  /^(ProcessWrap|TCPServerWrap|TCPSocketWrap|PipeServerWrap|PipeWrap|UDPWrap|Worker|MessagePort)$/;
/** A socket that is closed, and a process that is killed, are gone some turns later. */
const graceMs = 5_000;

/** The cache of the loader by which tests start TypeScript files: shared, and no test's own. */
const files = (): string[] => readdirSync(folder).filter((name) => !name.startsWith('tsx-'));

const held = (): string[] => process.getActiveResourcesInfo().filter((kind) => kinds.test(kind));

/** Temporary files of this file and of the processes that it starts. Short: the path of a socket has 107 letters. */
const folder = mkdtempSync(join(tmpdir(), 'rt-'));
// A database server may run as another user.
chmodSync(folder, 0o711);
process.env['TMPDIR'] = folder;
const before = held();

// The first one that is registered runs last.
afterAll(async () => {
  const until = Date.now() + graceMs;
  while ((left().length > 0 || files().length > 0) && Date.now() < until) await delay(20);
  const found = { handles: left(), files: files() };
  rmSync(folder, { recursive: true, force: true });
  expect(found, 'left behind by this file').toEqual({ handles: [], files: [] });
});

function left(): string[] {
  const known = [...before];
  return held().filter((kind) => {
    const place = known.indexOf(kind);
    if (place >= 0) known.splice(place, 1);
    return place < 0;
  });
}
