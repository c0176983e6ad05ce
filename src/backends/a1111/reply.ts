import sharp from 'sharp';
import { plural } from '../../base/plural.js';
import { BackendError } from '../../errors.js';
import { parseJson } from '../../net/index.js';
import { generationInfo, imageReply, type GenerationInfo } from './schema.js';

/** The one picture of a reply, and what the server says about it. */
export interface Picture {
  image: Buffer;
  /** Undefined where the bytes are no image. */
  size: Size | undefined;
  /** What the file itself, and the reply, say of how it was made; where neither does, the reply's prompt alone. */
  infotexts: string[];
  info: GenerationInfo;
}

/** Pixels. */
export interface Size {
  width: number;
  height: number;
}

/** Reads the reply to txt2img or img2img. Throws a transient BackendError where the picture is not in it. */
export async function readReply(backend: string, reply: unknown): Promise<Picture> {
  const parsed = imageReply.safeParse(reply);
  const info = readInfo(parsed.data?.info);
  const images = parsed.data?.images ?? [];
  const first = info.index_of_first_image ?? 0;
  // More images may stand before (a grid) and after it (masks, ControlNet's maps).
  const image = images[first];
  const wanted = info.all_seeds?.length ?? 1;
  if (image === undefined || images.length - first < wanted) {
    throw new BackendError(
      `answered with ${plural(images.length, 'image')} where ${first + wanted} were due: the work was interrupted or failed, or memory ran out. Its log says which.`,
      { backend, fault: 'transient' },
    );
  }
  if (wanted > 1) {
    throw new BackendError(
      `made ${wanted} images for one shot, which takes one: see what makes several there (a script, an extension, fields under generate.a1111), and say with 'count' how many.`,
      { backend, fault: 'request' },
    );
  }
  // Where SD.Next is interrupted it sends the preview as the picture, and tells of it twice: nothing else shows it.
  if ((info.infotexts?.length ?? 0) > images.length) {
    throw new BackendError('was interrupted: the image is half done.', { backend, fault: 'transient' });
  }
  const bytes = decode(backend, image);
  const header = await readHeader(bytes);
  const ofFile = header?.comments?.find(({ keyword }) => keyword === 'parameters')?.text;
  const said = [ofFile, info.infotexts?.[first]].flatMap((text) => text || []);
  const infotexts =
    said.length > 0 ? said : [info.all_prompts?.[0] ?? info.prompt].flatMap((text) => text ?? []);
  return { image: bytes, size: header && { width: header.width, height: header.height }, infotexts, info };
}

/** From the image's header alone. */
export async function sizeOf(image: Buffer): Promise<Size | undefined> {
  const header = await readHeader(image);
  return header && { width: header.width, height: header.height };
}

const readHeader = (image: Buffer) =>
  sharp(image)
    .metadata()
    .catch(() => undefined);

function readInfo(text: string | null | undefined): GenerationInfo {
  try {
    const info = generationInfo.parse(parseJson(text ?? '{}'));
    return { ...info, sd_model_name: info.sd_model_name ?? modelOf(info.infotexts?.[0]) };
  } catch {
    return {}; // SD.Next sends '' when it failed quietly
  }
}

/** SD.Next names the checkpoint nowhere else: `Steps: 20, ..., Model: hands, ...`, after the prompts. */
function modelOf(infotext: string | undefined): string | undefined {
  const settings = infotext?.slice(infotext.lastIndexOf('\n') + 1);
  return settings === undefined ? undefined : /(?:^|, )Model: ([^,]+)/.exec(settings)?.[1];
}

/** Base64, with or without `data:image/png;base64,` before it. */
function decode(backend: string, text: string): Buffer {
  const base64 = text.slice(text.startsWith('data:') ? text.indexOf(',') + 1 : 0);
  const bytes = Buffer.from(base64, 'base64');
  // Node skips what is no base64, so a wrong text shows in the length alone.
  if (bytes.length === 0 || bytes.length < Math.floor((base64.replace(/[\s=]/g, '').length * 3) / 4)) {
    throw new BackendError('sent an image that is no base64.', { backend, fault: 'transient' });
  }
  return bytes;
}
