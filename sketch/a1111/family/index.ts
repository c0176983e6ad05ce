import type { Flavour } from '../../types.js';
import { a1111, reforge } from './a1111.js';
import type { Family } from './family.js';
import { forge } from './forge.js';
import { sdnext } from './sdnext.js';

export type { Detailer, Family, JobKind } from './family.js';

export const families: Readonly<Record<Flavour, Family>> = { a1111, forge, reforge, sdnext };
