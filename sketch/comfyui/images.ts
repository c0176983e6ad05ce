import { posix } from 'node:path';
import sharp from 'sharp';
import { HttpAnswer, readBody, send, type Call } from '../http.js';
import { bodyLimit } from './comfy.js';
import { annotated, isFolder, leaves, type Files } from './files.js';
import { internalError } from './prompt.js';

/** GET /view: a file as it is, or re-encoded where `preview` or `channel` ask for it. */
export async function viewImage(files: Files, { response, url }: Call): Promise<void> {
  const query = url.searchParams;
  const asked = query.get('filename');
  if (asked === null) {
    send(response, 404, '');
    return;
  }
  const suffixed = / ?\[(input|output|temp)\]$/.test(asked);
  const [annotatedFolder, name] = annotated(asked);
  if (name === '' || name.startsWith('/') || name.includes('..')) {
    send(response, 400, '');
    return;
  }
  const type = suffixed ? annotatedFolder : (query.get('type') ?? 'output');
  if (!isFolder(type)) {
    send(response, 400, '');
    return;
  }
  const subfolder = query.get('subfolder') ?? '';
  if (leaves(subfolder)) {
    send(response, 403, '');
    return;
  }
  const filename = posix.basename(name);
  const bytes = files.read(type, posix.join(subfolder, filename));
  if (bytes === undefined) {
    send(response, 404, '');
    return;
  }
  const disposition = { 'content-disposition': `filename="${filename}"` };
  const preview = query.get('preview')?.split(';');
  if (preview !== undefined) {
    const format = preview[0] === 'jpeg' ? 'jpeg' : 'webp';
    const quality = /^\d+$/.test(preview.at(-1) ?? '') ? Number(preview.at(-1)) : 90;
    const small = await sharp(bytes).toFormat(format, { quality }).toBuffer();
    send(response, 200, small, { 'content-type': `image/${format}`, ...disposition });
    return;
  }
  const channel = query.get('channel') ?? 'rgba';
  const picture =
    channel === 'rgb'
      ? await sharp(bytes).removeAlpha().png().toBuffer()
      : channel === 'a'
        ? await sharp(bytes).ensureAlpha().extractChannel('alpha').png().toBuffer()
        : bytes;
  send(response, 200, picture, {
    'content-type': filename.endsWith('.png') ? 'image/png' : 'application/octet-stream',
    'x-content-type-options': 'nosniff',
    ...disposition,
  });
}

/** POST /upload/image and /upload/mask: keeps a file, under another name if a different one has its own. */
export async function uploadImage(files: Files, { request, response }: Call): Promise<void> {
  const body = await readBody(request, bodyLimit);
  const form = await readForm(body, request.headers['content-type']);
  const image = form.get('image');
  if (image === null || typeof image === 'string' || image.name === '') {
    send(response, 400, '');
    return;
  }
  const type = textOf(form, 'type') ?? 'input';
  if (!isFolder(type)) throw internalError();
  const subfolder = textOf(form, 'subfolder') ?? '';
  const path = (name: string): string => posix.join(subfolder, name);
  if (leaves(path(image.name))) {
    send(response, 400, '');
    return;
  }
  const bytes = Buffer.from(await image.arrayBuffer());
  const overwrite = ['true', '1'].includes(textOf(form, 'overwrite') ?? '');
  const { name: stem, ext } = posix.parse(image.name);
  let name = image.name;
  if (!overwrite) {
    for (let index = 1; files.read(type, path(name))?.equals(bytes) === false; index++) {
      name = `${stem} (${index})${ext}`;
    }
  }
  files.write(type, path(name), bytes);
  send(response, 200, { name, subfolder, type });
}

function textOf(form: FormData, field: string): string | undefined {
  const value = form.get(field);
  return typeof value === 'string' ? value : undefined;
}

async function readForm(body: Buffer, contentType: string | undefined): Promise<FormData> {
  try {
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- meant for servers of strangers; the body is bounded
    return await new Response(body, { headers: { 'content-type': contentType ?? '' } }).formData();
  } catch {
    throw new HttpAnswer(400, '');
  }
}
