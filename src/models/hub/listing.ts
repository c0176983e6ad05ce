import { z } from 'zod';

import { ModelError } from '../../errors.js';
import type { OnEvent } from '../events.js';
import { get, PassingError, reasonOf, UnreachableError, withPatience } from './request.js';
import type { HubSettings } from './settings.js';

/** One file of a repository. */
export interface HubFile {
  path: string;
  bytes: number;
  /** What names the blob in the cache and what its content must hash to. */
  checksum: { algorithm: 'sha256' | 'git'; hex: string };
}

export interface Listing {
  /** 40 hex digits. */
  commit: string;
  license: string | undefined;
  files: Map<string, HubFile>;
}

/** Thousands of files still fit; a larger answer is none of the Hub's. */
const maxListingBytes = 64 * 2 ** 20;

const sibling = z.object({
  rfilename: z.string(),
  size: z.number().int().nonnegative().nullish(),
  blobId: z
    .string()
    .regex(/^[0-9a-f]{40}$/)
    .nullish(),
  lfs: z
    .object({ sha256: z.string().regex(/^[0-9a-f]{64}$/), size: z.number().int().nonnegative() })
    .nullish(),
});

const answer = z.object({
  sha: z.string().regex(/^[0-9a-f]{40}$/),
  siblings: z.array(sibling),
  cardData: z.object({ license: z.union([z.string(), z.array(z.string())]).nullish() }).nullish(),
});

/** Asks the Hub which commit a revision is, and for that commit's files, sizes and checksums. */
export async function listModel(
  name: string,
  revision: string,
  settings: HubSettings,
  onEvent?: OnEvent,
  signal?: AbortSignal,
): Promise<Listing> {
  const path = `/api/models/${name}/revision/${encodeURIComponent(revision)}?blobs=true`;
  const text = await withPatience(name, settings, onEvent, signal, async () => {
    const limit = AbortSignal.any([
      AbortSignal.timeout(settings.patience.silenceMs),
      ...(signal ? [signal] : []),
    ]);
    return readText(await getFirst(path, settings, limit));
  });
  const parsed = answer.safeParse(parseJson(text));
  if (!parsed.success) {
    throw new ModelError(
      `${new URL(settings.endpoint).host} does not answer like a Hugging Face Hub. Check HF_ENDPOINT`,
      {
        cause: parsed.error,
      },
    );
  }
  const { sha, siblings, cardData } = parsed.data;
  const license = cardData?.license;
  const files = siblings.flatMap((entry) => {
    const file = hubFile(entry);
    return file ? [[file.path, file] as const] : [];
  });
  return {
    commit: sha,
    license: Array.isArray(license) ? license.join(', ') : (license ?? undefined),
    files: new Map(files),
  };
}

/** The first question: where nobody can be reached, waiting helps less than saying so soon. */
async function getFirst(path: string, settings: HubSettings, signal: AbortSignal): Promise<Response> {
  try {
    return await get(path, settings, { accept: 'application/json' }, signal);
  } catch (error) {
    if (!(error instanceof UnreachableError) || signal.aborted) throw error;
    throw new ModelError(
      `${error.message}. Without a network, or behind a firewall: HF_ENDPOINT names a mirror, HTTPS_PROXY a proxy; a ` +
        'model in a folder on this machine needs no Hub (`gate.model: ./folder`; `reroll model convert` makes its ONNX files)',
      { cause: error },
    );
  }
}

/** Large files have a SHA-256; small ones git's own hash. A file without either cannot be checked. */
function hubFile({ rfilename: path, size, blobId, lfs }: z.infer<typeof sibling>): HubFile | undefined {
  if (lfs) return { path, bytes: lfs.size, checksum: { algorithm: 'sha256', hex: lfs.sha256 } };
  if (!blobId || size === null || size === undefined) return undefined;
  return { path, bytes: size, checksum: { algorithm: 'git', hex: blobId } };
}

async function readText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response.body ?? []) {
      bytes += (chunk as Uint8Array).length;
      if (bytes > maxListingBytes)
        throw new ModelError(`The Hub's list of files is larger than ${maxListingBytes} bytes`);
      chunks.push(chunk as Uint8Array);
    }
  } catch (error) {
    if (error instanceof ModelError) throw error;
    throw new PassingError(`the connection broke (${reasonOf(error)})`, undefined, { cause: error });
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
