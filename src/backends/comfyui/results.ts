import { BackendError } from '../../errors.js';
import { NetError, type HttpClient } from '../../net/index.js';
import { file, type File, type HistoryEntry } from './schema.js';

/** Room for a PNG of about 6000 x 6000 pixels. */
const maxImageBytes = 128 * 1024 * 1024;

/** The pictures that one node of a finished prompt saved in `folder`: `preferred`, or another where that saved none. */
export function resultFiles(
  entry: HistoryEntry,
  preferred: string | undefined,
  folder: 'output' | 'temp',
): File[] {
  const nodes = Object.keys(entry.outputs).sort((a, b) => Number(b === preferred) - Number(a === preferred));
  const saved = nodes.map((id) => filesOf(entry.outputs[id]).filter(({ type }) => type === folder));
  return saved.find((files) => files.length > 0) ?? [];
}

function filesOf(output: unknown): File[] {
  if (typeof output !== 'object' || output === null) return [];
  const { images } = output as { images?: unknown };
  return Array.isArray(images) ? images.flatMap((one) => file.safeParse(one).data ?? []) : [];
}

/**
 * The file's own bytes: no `preview`, no `channel`, which would encode it anew. Its name is the server's and goes
 * back to it as it came; it is never a path here.
 */
export async function fetchFile(
  backend: string,
  http: HttpClient,
  { filename, subfolder, type }: File,
  signal: AbortSignal,
): Promise<Buffer> {
  const query = { filename, subfolder, type };
  try {
    return await http.getBytes('/view', { signal, query, timeoutMs: 300_000, maxBytes: maxImageBytes });
  } catch (error) {
    if (!(error instanceof NetError)) throw error;
    const fail = (message: string, fault: 'transient' | 'request') =>
      new BackendError(message, { backend, fault, cause: error });
    if (error.kind === 'too-large') throw fail(`${error.message} Ask for a smaller picture.`, 'request');
    // With a 500 it cannot read its own file; asked again, it would not either.
    if ([400, 403, 404, 500].includes(error.status ?? 0)) {
      throw fail(`made ${filename} and does not hand it out (${error.status}).`, 'transient');
    }
    throw error;
  }
}
