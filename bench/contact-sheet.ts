import sharp from 'sharp';
import { draw } from '../sketch/drawing/index.js';

/** Draws 40 hands, good ones above and bad ones below, into one PNG: `contact-sheet FILE`. */
const [file = 'contact-sheet.png'] = process.argv.slice(2);
const [columns, rows, width, height, gap] = [10, 4, 160, 240, 6];

const cells = Array.from({ length: columns * rows }, async (_, i) => {
  const row = Math.floor(i / columns);
  const { pixels } = await draw({
    prompt: row % 2 === 0 ? 'a photo of a hand' : 'a hand, glossy 3d render',
    negative_prompt: '',
    seed: 1000 + i,
    steps: 20,
    width: 2 * width,
    height: 2 * height,
    badRate: row < rows / 2 ? 0 : 1,
  });
  return {
    input: await sharp(pixels).resize(width, height).toBuffer(),
    left: gap + (i % columns) * (width + gap),
    top: gap + row * (height + gap) + (row < rows / 2 ? 0 : 2 * gap),
  };
});

await sharp({
  create: {
    width: gap + columns * (width + gap),
    height: gap + rows * (height + gap) + 2 * gap,
    channels: 3,
    background: '#ffffff',
  },
})
  .composite(await Promise.all(cells))
  .png({ compressionLevel: 9, palette: true })
  .toFile(file);
console.log(`Wrote ${file}: good hands in the upper half, bad ones in the lower.`);
