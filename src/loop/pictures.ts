import type { ImageRequest, Json } from './types.js';

/**
 * Whether a text in A1111's `alwayson_scripts` is the path of a picture, such as ControlNet's: it ends as one. All other
 * texts there are sent as they are.
 */
export const isScriptPicture = (text: string): boolean =>
  text.length < 5000 && /\.(png|jpe?g|webp)$/i.test(text) && !/^(https?|data):/i.test(text);

/** The pictures that the scripts of a request name, by their paths. */
export function scriptPictures({ a1111 }: Pick<Partial<ImageRequest>, 'a1111'>): string[] {
  const found: string[] = [];
  const look = (value: Json | undefined): void => {
    if (typeof value === 'string' && isScriptPicture(value)) found.push(value);
    else if (typeof value === 'object' && value !== null) Object.values(value).forEach(look);
  };
  look(a1111?.['alwayson_scripts']);
  return found;
}

/** All the files that a request names. */
export function filesOf(request: Pick<Partial<ImageRequest>, 'init_image' | 'mask' | 'a1111'>): string[] {
  const { init_image: start, mask } = request;
  return [start, mask, ...scriptPictures(request)].filter((path) => path !== undefined);
}
