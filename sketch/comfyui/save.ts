import type { JsonObject } from '../http.js';
import { sizeOf, spoiled, truncated } from '../pictures.js';
import { addText } from '../png.js';
import type { Files } from './files.js';
import type { Item } from './queue.js';
import type { Picture } from './values.js';

/** SaveImage and PreviewImage: writes each picture with its chunks and returns what history shows. */
export async function saveImages(
  files: Files,
  item: Item,
  pictures: readonly Picture[],
  folder: 'output' | 'temp',
  prefix: string,
): Promise<JsonObject> {
  const images: JsonObject[] = [];
  for (const [index, picture] of pictures.entries()) {
    const { width, height } = await sizeOf(picture.pixels);
    const named = variables(prefix, width, height).replaceAll('%batch_num%', String(index));
    const { subfolder, filename } = files.nextImage(folder, named);
    const pixels = await spoiled(picture.pixels, item.fault);
    const png = addText(pixels, chunks(item, picture));
    const path = subfolder === '' ? filename : `${subfolder}/${filename}`;
    files.write(folder, path, item.fault === 'truncated' ? truncated(png) : png);
    images.push({ filename, subfolder, type: folder });
  }
  return { images };
}

function chunks(item: Item, { sketch }: Picture): Record<string, string> {
  const info = item.extraData['extra_pnginfo'] as Record<string, unknown> | undefined;
  const extra = Object.entries(info ?? {}).map(([key, value]) => [key, ascii(value)] as const);
  const truth = sketch === undefined ? {} : { sketch: JSON.stringify({ ...sketch, remoteId: item.id }) };
  return { prompt: ascii(item.graph), ...Object.fromEntries(extra), ...truth };
}

/** JSON as Python's json.dumps writes it: ASCII only. */
function ascii(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function variables(prefix: string, width: number, height: number): string {
  const now = new Date();
  const two = (number: number): string => String(number).padStart(2, '0');
  const values: Record<string, string> = {
    width: String(width),
    height: String(height),
    year: String(now.getFullYear()),
    month: two(now.getMonth() + 1),
    day: two(now.getDate()),
    hour: two(now.getHours()),
    minute: two(now.getMinutes()),
    second: two(now.getSeconds()),
  };
  return prefix.replace(/%(\w+)%/g, (whole, name: string) => values[name] ?? whole);
}
