import sharp from 'sharp';
import { ConfigError, systemCode, toError } from '../../errors.js';
import type { ReadFile } from '../port.js';
import type { WorkflowFile } from './workflow.js';

/**
 * Reads a workflow's file: JSON, or a picture that ComfyUI made and wrote its workflow into. ConfigError where it
 * cannot be read, or is a picture without one.
 */
export async function readWorkflowFile(path: string, readFile: ReadFile): Promise<WorkflowFile> {
  const bytes = await readFile(path).catch((error: unknown) => {
    throw new ConfigError(
      `the workflow ${path} cannot be read (${systemCode(error) ?? toError(error).message}).`,
    );
  });
  const header = await sharp(bytes)
    .metadata()
    .catch(() => undefined);
  // An SVG is a text that sharp can draw.
  if (header === undefined || header.format === 'svg') return { path, text: bytes.toString('utf8') };
  const text = header.comments?.find(({ keyword }) => keyword === 'prompt')?.text ?? inExif(header.exif);
  if (text === undefined) {
    throw new ConfigError(
      `${path} is a picture without a workflow in it: take the file that ComfyUI itself made, not a copy that a page or an editor wrote anew, or export the workflow with File > Export (API).`,
    );
  }
  return { path, text };
}

/** ComfyUI writes `prompt:{...}` as the text of a tag into WebP and JPEG. */
function inExif(exif: Buffer | undefined): string | undefined {
  const start = exif?.indexOf('prompt:{') ?? -1;
  if (exif === undefined || start === -1) return undefined;
  const end = exif.indexOf(0, start);
  return exif.toString('utf8', start + 'prompt:'.length, end === -1 ? undefined : end);
}
