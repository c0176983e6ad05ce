import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The path of a file or folder that is shipped with the package. */
export const packaged = (path: string): string =>
  join(dirname(fileURLToPath(import.meta.resolve('reroll/package.json'))), path);

/** What a pipeline calls the small model that is shipped, which knows drawings alone. */
export const demoModel = 'demo';
