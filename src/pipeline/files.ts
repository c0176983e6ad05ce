import { constants } from 'node:fs';
import fs from 'node:fs/promises';
import { ConfigError, systemCode, toError } from '../errors.js';
import { displayPath } from './problems.js';

/** Longest line of a prompt file, in characters: a file without line ends must not fill the memory. */
const longestLine = 1_000_000;

/** The whole text of a small file. Throws ConfigError where it is missing, unreadable, too large or no UTF-8. */
export async function readText(file: string, mostBytes: number, advice: string): Promise<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let bytes = 0;
  let text = '';
  try {
    for await (const chunk of await openFile(file)) {
      bytes += chunk.length;
      if (bytes > mostBytes)
        throw new ConfigError(`${displayPath(file)} has more than ${mostBytes} bytes. ${advice}`);
      text += decoder.decode(chunk, { stream: true });
    }
    return text + decoder.decode();
  } catch (error) {
    throw unreadable(file, error);
  }
}

// Without the flag a pipe would be waited for in the opening; Windows has neither.
const readWithoutWaiting = process.platform === 'win32' ? 'r' : constants.O_RDONLY | constants.O_NONBLOCK;

/** The bytes of a regular file. A pipe or a device may never begin, or never end. */
async function openFile(file: string): Promise<AsyncIterable<Buffer>> {
  const handle = await fs.open(file, readWithoutWaiting);
  if ((await handle.stat()).isFile()) return handle.createReadStream();
  const isFolder = (await handle.stat()).isDirectory();
  await handle.close();
  throw new ConfigError(
    `${displayPath(file)}: this is ${isFolder ? 'a folder' : 'a pipe or a device'}, and a file is needed. Write what it gives into a file first.`,
  );
}

export interface Line {
  text: string;
  /** From 1. */
  number: number;
}

/** The lines of a file of any size, one at a time, without line ends and byte order mark. */
export async function* readLines(file: string): AsyncGenerator<Line> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let rest = '';
  let number = 0;
  try {
    for await (const chunk of await openFile(file)) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) yield { text: chomp(line), number: ++number };
      if (rest.length > longestLine) {
        throw new ConfigError(
          `${displayPath(file)}:${number + 1}: the line is longer than ${longestLine} characters. Is this a text file with a prompt a line?`,
        );
      }
    }
    rest += decoder.decode();
  } catch (error) {
    throw unreadable(file, error);
  }
  if (rest !== '') yield { text: chomp(rest), number: ++number };
}

const chomp = (line: string): string => (line.endsWith('\r') ? line.slice(0, -1) : line);

/** A failure to read `file`, as a ConfigError that says what to do; other errors as they are. */
export function unreadable(file: string, error: unknown): Error {
  const advice: Readonly<Record<string, string>> = {
    ENOENT: 'there is no such file. Check the path.',
    ENOTDIR: 'there is no such file. Check the path.',
    EISDIR: 'this is a folder, and a file is needed.',
    EACCES: 'it may not be read. Give yourself the permission.',
    EPERM: 'it may not be read. Give yourself the permission.',
    ERR_ENCODING_INVALID_ENCODED_DATA: 'this is no UTF-8 text. Save it as UTF-8.',
  };
  const message = advice[systemCode(error) ?? ''];
  return message === undefined
    ? toError(error)
    : new ConfigError(`${displayPath(file)}: ${message}`, { cause: error });
}
