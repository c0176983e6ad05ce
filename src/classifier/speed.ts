import sharp from 'sharp';
import { openClassifier, type ClassifierOptions } from './open.js';

const count = 8;

/**
 * Images a second that a model judges on this machine: eight generated 512 x 512 PNGs, all at once, after one to
 * warm up. Throws ModelError where the model cannot be opened.
 */
export async function measureSpeed(options: ClassifierOptions): Promise<number> {
  const classifier = await openClassifier(options);
  try {
    const pictures = await Promise.all(Array.from({ length: count }, generated));
    await classifier.classify(await generated());
    const startedAt = performance.now();
    await Promise.all(pictures.map((picture) => classifier.classify(picture)));
    return count / ((performance.now() - startedAt) / 1000);
  } finally {
    await classifier.close();
  }
}

/** Noise, which a PNG cannot make small: no easier to decode than a real picture. */
function generated(): Promise<Buffer> {
  const noise = { type: 'gaussian', mean: 128, sigma: 60 } as const;
  return sharp({ create: { width: 512, height: 512, channels: 3, background: '#888', noise } })
    .png()
    .toBuffer();
}
