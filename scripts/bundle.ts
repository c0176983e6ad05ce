/**
 * Readies node_modules for `npm pack`, which bundles what package.json names under bundleDependencies: everything but
 * sharp, whose binaries differ from platform to platform. A user then installs the versions that the tests ran with (npm
 * heeds nobody's overrides but the root's), downloads nothing from elsewhere, and runs no install script. `npm ci` undoes it.
 */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What a bundled package asks for and does not get: package, then the dependencies that it does without. */
const without: Record<string, string[]> = {
  // The browser's runtime, 141 MB that Node.js never loads; sharp is reroll's own dependency, and found as that.
  '@huggingface/transformers': ['onnxruntime-web', 'sharp'],
  // No dependency, but its install script, which fetches 300 MB of CUDA libraries; the CPU's are in the package.
  'onnxruntime-node': [],
  // A native addition that makes it quicker, for one platform each; msgpackr works without.
  msgpackr: ['msgpackr-extract'],
};

for (const [name, dependencies] of Object.entries(without)) {
  const file = join('node_modules', name, 'package.json');
  const manifest = JSON.parse(await readFile(file, 'utf8')) as Record<
    string,
    Record<string, unknown> | undefined
  >;
  delete manifest.scripts;
  for (const dependency of dependencies) {
    delete manifest.dependencies?.[dependency];
    delete manifest.optionalDependencies?.[dependency];
  }
  // A new file in its place: the old one may be a hard link into another checkout.
  await writeFile(`${file}.new`, JSON.stringify(manifest, null, 2));
  await rename(`${file}.new`, file);
}
