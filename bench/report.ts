import { linkSync } from 'node:fs';
import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';
import { writeReport, writeThumbnail, type ReportShot } from '../src/report/index.js';
import { draw } from '../sketch/index.js';
import { printFigures } from './arena.js';

/**
 * What a report of 5,000 shots (`--shots N`) costs: to write, where the thumbnails are there, and to open in a browser on
 * a screen and on a telephone: until the first words are seen, until all is read, and from a jump to where it leads.
 */
const flag = process.argv.indexOf('--shots');
const many = flag < 0 ? 5_000 : Number(process.argv[flag + 1]);
const longest = 3;

const folder = await mkdtemp(join(tmpdir(), 'reroll-bench-report-'));
try {
  const images = await makeThumbnails();
  const startedAt = performance.now();
  await writeReport({
    run: 'bench-1',
    name: 'bench',
    model: 'none',
    folder,
    shots: shots(),
    fileOf: () => undefined,
  });
  const writeMs = performance.now() - startedAt;
  const { size } = await stat(join(folder, 'report.html'));
  const screen = await openIn({ width: 1300, height: 900 });
  const phone = await openIn({ width: 390, height: 844 });
  const line = ({ paintMs, readMs, jumpMs }: Opened) =>
    `${paintMs.toFixed(0)} ms until it shows, ${readMs.toFixed(0)} ms until all is read, a jump ${jumpMs.toFixed(0)} ms`;
  printFigures(
    [
      `${many} shots, ${images} images: written in ${(writeMs / 1000).toFixed(1)} s, ${(size / 1e6).toFixed(1)} MB in the first page`,
      `1300 pixels  ${line(screen)}, ${screen.images} images`,
      ` 390 pixels  ${line(phone)}, ${phone.images} images`,
    ],
    { shots: many, images, writeMs, bytes: size, screen, phone },
  );
} finally {
  await rm(folder, { recursive: true, force: true });
}

interface Opened {
  paintMs: number;
  readMs: number;
  jumpMs: number;
  images: number;
}

async function openIn(viewport: { width: number; height: number }): Promise<Opened> {
  const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
  try {
    const page = await browser.newPage({ viewport });
    const begunAt = performance.now();
    await page.goto(pathToFileURL(join(folder, 'report.html')).href, { waitUntil: 'domcontentloaded' });
    const readMs = performance.now() - begunAt;
    const painted = await page.waitForFunction(
      "performance.getEntriesByName('first-contentful-paint')[0]?.startTime",
    );
    const paintMs = (await painted.jsonValue()) as number;
    const images = await page.locator('img').count();
    const jumpedAt = performance.now();
    await page.locator('nav a', { hasText: 'Accepted' }).click();
    await page.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))');
    return { paintMs, readMs, jumpMs: performance.now() - jumpedAt, images };
  } finally {
    await browser.close();
  }
}

/** One drawing under many names; answers how many. */
async function makeThumbnails(): Promise<number> {
  const { pixels } = await draw({
    prompt: 'a hand',
    negative_prompt: '',
    seed: 1,
    width: 512,
    height: 512,
    steps: 20,
    cfg_scale: 7,
    badRate: 0,
  });
  await writeThumbnail(folder, { shot: 0, number: 0 }, pixels);
  for (let number = 1; number <= longest; number++) await mkdir(join(folder, 'thumbnails', String(number)));
  let images = 0;
  for await (const { index, attempts } of shots()) {
    for (const { number } of attempts) {
      linkSync(
        join(folder, 'thumbnails/0/0.webp'),
        join(folder, 'thumbnails', String(number), `${index}.webp`),
      );
      images++;
    }
  }
  return images;
}

async function* shots(): AsyncGenerator<ReportShot> {
  for (let index = 1; index <= many; index++) yield shotOf(index, 1 + ((index * 7) % longest));
}

function shotOf(index: number, last: number): ReportShot {
  const outcome = index % 100 === 0 ? 'exhausted' : 'accepted';
  const request = {
    prompt:
      'a pianist, both hands on the keys, soft window light, 85mm, detailed skin, film grain, muted colours',
    negative_prompt: 'lowres, bad anatomy, bad hands, extra digits, fewer digits',
    seed: index,
    width: 1024,
    height: 1024,
  };
  const attempts = Array.from({ length: last }, (_, place) => {
    const isRight = place + 1 === last && outcome === 'accepted';
    const rejected = isRight ? 0.1 : 0.9;
    return {
      number: place + 1,
      request,
      backend: 'gpu',
      serverErrors: 0,
      verdict: {
        decision: isRight ? ('accept' as const) : ('reject' as const),
        rejected,
        scores: ['Realistic_Bad_Anatomy', 'Realistic_Good_Anatomy'].map((label, at) => ({
          label,
          score: at === 0 ? rejected : 1 - rejected,
        })),
      },
      createdAt: new Date(0),
    };
  });
  return { index, prompt: `prompt-${index % 40}`, request, outcome, kept: last, attempts };
}
