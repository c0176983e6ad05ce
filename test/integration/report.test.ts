import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium, type Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  writeManifest,
  writeReport,
  type Report,
  type ReportAttempt,
  type ReportShot,
} from '../../src/report/index.js';
import { draw } from '../../sketch/index.js';
import { anatomyLabels } from '../support/tiny-model.js';

const chromiumPath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const hasChromium = existsSync(chromiumPath);
if (!hasChromium && process.env.CI === 'true')
  throw new Error(`CI needs Chromium at ${chromiumPath} (or $CHROMIUM).`);
if (!hasChromium)
  console.log(`skipped: report.html in a browser, since there is no Chromium at ${chromiumPath}`);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reroll-report-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const hostile = `a pianist's hands <script>alert(1)</script> "quoted" & 'so' </style><img src=x onerror=alert(2)>`;
const request = (seed: number) => ({
  prompt: hostile,
  negative_prompt: '',
  seed,
  width: 384,
  height: 384,
  steps: 20,
  cfg_scale: 6,
});

/** The attempt of a shot that ends after `attempts`, with scores that depend on nothing but its place. */
function attemptOf(shot: number, number: number, isBad: boolean): ReportAttempt {
  const bad = isBad ? 0.6 + ((shot * 7 + number * 3) % 35) / 100 : 0.05 + ((shot * 5) % 30) / 100;
  const parts = isBad
    ? [bad * 0.8, (1 - bad) * 0.7, bad * 0.2, (1 - bad) * 0.3]
    : [bad * 0.5, (1 - bad) * 0.9, bad * 0.5, (1 - bad) * 0.1];
  const scores = anatomyLabels
    .map((label, index) => ({ label, score: parts[index]! }))
    .sort((a, b) => b.score - a.score);
  return {
    number,
    request: { ...request(1000 * shot + number), ...(number > 2 && { cfg_scale: 7 }) },
    backend: number % 2 === 0 ? 'rtx4090' : 'forge',
    serverErrors: 0,
    candidate: {
      sha256: 'ab',
      width: 384,
      height: 384,
      format: 'png',
      seed: 1000 * shot + number,
      server: { product: 'sketch' },
      seconds: 0.41,
    },
    verdict: {
      decision: isBad ? 'reject' : 'accept',
      ...(isBad && { rule: `*Bad_Anatomy ${bad.toFixed(2)} >= 0.5` }),
      rejected: bad,
      scores,
    },
    model: { name: 'demo', revision: '1', dtype: 'fp32' },
    createdAt: new Date(0),
    generatedAt: new Date(1000),
    judgedAt: new Date(2000),
  };
}

/** A shot that took `attempts`; with `exhausted` the last was bad too. */
function shotOf(
  index: number,
  attempts: number,
  outcome: 'accepted' | 'exhausted' | 'failed' = 'accepted',
): ReportShot {
  return {
    index,
    prompt: `p${1 + (index % 3)}`,
    request: request(1000 * index + 1),
    outcome,
    ...(outcome === 'failed'
      ? { reason: 'forge: checkpoint <b>nothing.safetensors</b> is not there' }
      : { kept: attempts, published: `p/${index} #1.png` }),
    attempts:
      outcome === 'failed'
        ? []
        : Array.from({ length: attempts }, (_, i) =>
            attemptOf(index, i + 1, i + 1 < attempts || outcome === 'exhausted'),
          ),
  };
}

const fileOf = (shot: ReportShot, { number }: ReportAttempt): string =>
  number === shot.kept ? shot.published! : `rejected/${number}/${shot.index}.png`;

const each = async function* <T>(items: Iterable<T>): AsyncGenerator<T> {
  yield* items;
};

async function writePictures(shots: ReportShot[]): Promise<void> {
  for (const shot of shots) {
    for (const attempt of shot.attempts) {
      const file = join(folder, fileOf(shot, attempt));
      await mkdir(dirname(file), { recursive: true });
      const isBad = attempt.verdict?.decision !== 'accept';
      await writeFile(file, await drawing(attempt.request.seed, isBad));
    }
  }
}

async function drawing(seed: number, isBad: boolean): Promise<Buffer> {
  const drawn = await draw({ ...request(seed), badRate: isBad ? 1 : 0 });
  return drawn.pixels;
}

const report = (shots: ReportShot[], more: Partial<Report<ReportShot>> = {}): Report<ReportShot> => ({
  run: 'portraits-3',
  name: 'portraits',
  model: 'models/demo',
  folder,
  shots: () => each(shots),
  fileOf,
  ...more,
});

const browserArguments = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

test.skipIf(!hasChromium)(
  'the report opens from disk without network, errors or scripts, and every picture has words',
  async () => {
    const lengths = [1, 2, 1, 3, 1, 1, 2, 4, 1, 2, 1, 1, 5, 1, 2, 1, 3, 1];
    const shots = [
      ...lengths.map((attempts, index) => shotOf(index + 1, attempts)),
      shotOf(19, 6, 'exhausted'),
      shotOf(20, 0, 'failed'),
    ];
    await writePictures(shots);
    await rm(join(folder, fileOf(shots[3]!, shots[3]!.attempts[0]!)));
    const truth = { accepted: 18, badAccepted: 1, firstAttempts: 19, badFirstAttempts: 9 };
    const file = join(folder, 'report.html');
    await writeReport(file, report(shots, { truth }));
    const browser: Browser = await chromium.launch({ executablePath: chromiumPath, args: browserArguments });
    try {
      const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
      const complaints: string[] = [];
      const requests: string[] = [];
      page.on('console', (message) => complaints.push(message.text()));
      page.on('pageerror', (error) => complaints.push(error.message));
      page.on('dialog', (dialog) => complaints.push(dialog.message()));
      page.on('request', (sent) => requests.push(sent.url().slice(0, 40)));
      await page.goto(pathToFileURL(file).href);

      expect(complaints).toEqual([]);
      expect(requests.filter((url) => !url.startsWith('data:'))).toEqual([
        pathToFileURL(file).href.slice(0, 40),
      ]);
      const images = await page.$$eval('img', (found) =>
        (found as unknown as { alt: string; complete: boolean; naturalWidth: number }[]).map((image) => ({
          alt: image.alt,
          loaded: image.complete && image.naturalWidth > 0,
        })),
      );
      expect(images).toHaveLength(18 + 1 + 20 - 1);
      expect(images.every(({ alt, loaded }) => loaded && alt.includes(hostile))).toBe(true);
      expect(await page.locator('script').count()).toBe(0);
      expect(await page.locator('.rejected figure').count()).toBe(20);
      expect(await page.locator('.rejected .gone').innerText()).toContain('is not there any more');
      expect(await page.locator('.kept figure').count()).toBe(1);
      expect(await page.locator('svg[role=img]').count()).toBe(2);
      expect(await page.locator('body').innerText()).toContain(
        'checkpoint <b>nothing.safetensors</b> is not there',
      );
      expect(await page.locator('.accepted a').first().getAttribute('href')).toBe('p/1%20%231.png');

      const screenshots = '.reroll-test';
      await mkdir(screenshots, { recursive: true });
      await page.screenshot({ path: join(screenshots, 'report-light.png'), fullPage: true });
      await page.setViewportSize({ width: 400, height: 900 });
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(400);
      expect((await page.locator('.split').first().boundingBox())!.width).toBeGreaterThan(200);
      await page.setViewportSize({ width: 1280, height: 900 });
      await page.emulateMedia({ colorScheme: 'dark' });
      await page.screenshot({ path: join(screenshots, 'report-dark.png'), fullPage: true });
    } finally {
      await browser.close();
    }
  },
);

test('a report of a run without any picture is still a report', async () => {
  const file = join(folder, 'empty.html');
  await writeReport(file, report([shotOf(1, 0, 'failed')], { fileOf: () => undefined }));
  expect(await readFile(file, 'utf8')).toMatch(/0 \/ 1[^]*shots accepted[^]*<\/html>\n$/);
  await writeReport(file, report([shotOf(1, 3)], { fileOf: () => undefined }));
  expect(await readFile(file, 'utf8')).toContain('2 rejected images were not kept');
});

test('the charts leave no number out, say of how many a share is, and the failures come first', async () => {
  const file = join(folder, 'gaps.html');
  const shots = [shotOf(1, 1), shotOf(2, 4), shotOf(3, 20), shotOf(4, 0, 'failed')];
  await writeReport(file, report(shots, { fileOf: () => 'one.png' }));
  const text = await readFile(file, 'utf8');
  expect(text).toContain(
    'Attempts per image: 1 image took 1 attempt; 0 images took 2 attempts; 0 images took 3 attempts; 1 image took 4 attempts; 0',
  );
  expect(text).toContain('0 images took 11 attempts; 1 image took 12+ attempts"');
  expect(text).toMatch(/class="note"[^>]*>of 3</);
  expect(text).toContain('attempt 12+: 8 of 9 rejected');
  expect(text).toContain('changed: cfg_scale 7');
  expect(text.indexOf('>Failed<')).toBeLessThan(text.indexOf('>Accepted<'));
});

test('a verdict of an older version whose scores are no numbers is told as one, and breaks nothing', async () => {
  const shot = shotOf(1, 1);
  // JSON makes null of NaN.
  const broken = { decision: 'accept', rejected: null, scores: [{ label: 'Bad', score: null }] };
  shot.attempts[0]!.verdict = broken as unknown as NonNullable<ReportAttempt['verdict']>;
  const file = join(folder, 'no-numbers.html');
  await writeReport(file, report([shot], { fileOf: () => 'one.png' }));
  expect(await readFile(file, 'utf8')).toContain('<dd>no number</dd>');
  await writeManifest(join(folder, 'no-numbers.jsonl'), each([shot]));
  expect(JSON.parse(await readFile(join(folder, 'no-numbers.jsonl'), 'utf8'))).toMatchObject({
    attempts: [{ rejected: null, scores: { Bad: null } }],
  });
});

test('a chart of nothing is not drawn', async () => {
  const file = join(folder, 'nothing.html');
  await writeReport(file, report([shotOf(1, 2, 'exhausted')], { fileOf: () => undefined }));
  const exhausted = await readFile(file, 'utf8');
  expect(exhausted).toContain('No image was accepted.');
  expect(exhausted.match(/<svg/g)).toHaveLength(1);
  await writeReport(file, report([shotOf(1, 0, 'failed')], { fileOf: () => undefined }));
  expect(await readFile(file, 'utf8')).toContain('No attempt was judged.');
});

test('a large run is streamed: a bounded share of its pictures, and flat memory', async () => {
  const picture = await drawing(1, false);
  await writeFile(join(folder, 'one.png'), picture);
  const many = 30_000;
  let alive = 0;
  const shots = async function* (): AsyncGenerator<ReportShot> {
    for (let index = 1; index <= many; index++) {
      if (index % 1000 === 0) alive = Math.max(alive, process.memoryUsage().heapUsed);
      yield shotOf(index, 1 + (index % 3));
    }
  };
  const file = join(folder, 'large.html');
  await writeReport(file, { ...report([]), shots, fileOf: () => 'one.png' });
  const text = await readFile(file, 'utf8');
  expect(text.match(/<figure>/g)!.length).toBeLessThanOrEqual(600);
  expect(text).toContain('Every 100th of 30,000 is shown here: 300.');
  expect(text).toContain('30,000 / 30,000');
  await writeManifest(join(folder, 'large.jsonl'), shots());
  expect(alive).toBeLessThan(250e6);
  const lines = (await readFile(join(folder, 'large.jsonl'), 'utf8')).trimEnd().split('\n');
  expect(lines).toHaveLength(many);
});

test('a manifest line says all about a shot, and is the same for the same shot in whatever order its keys come', async () => {
  const write = async (shot: ReportShot): Promise<string> => {
    const file = join(folder, 'manifest.jsonl');
    await writeManifest(file, each([shot]));
    return readFile(file, 'utf8');
  };
  const shot = shotOf(7, 3);
  const shuffled = {
    ...shot,
    request: Object.fromEntries(Object.entries(shot.request).reverse()) as unknown as ReportShot['request'],
  };
  const line = await write(shot);
  expect(await write(shuffled)).toBe(line);
  const parsed = JSON.parse(line) as { attempts: object[] };
  expect(Object.keys(parsed)).toEqual([
    'shot',
    'prompt',
    'outcome',
    'kept',
    'published',
    'request',
    'attempts',
  ]);
  expect(parsed.attempts[2]).toEqual({
    number: 3,
    seed: 7003,
    changes: { cfg_scale: 7 },
    image: { width: 384, height: 384, format: 'png' },
    decision: 'accept',
    rejected: 0.1,
    scores: {
      Realistic_Good_Anatomy: 0.81,
      Unrealistic_Good_Anatomy: 0.09,
      Realistic_Bad_Anatomy: 0.05,
      Unrealistic_Bad_Anatomy: 0.05,
    },
    model: { name: 'demo', revision: '1', dtype: 'fp32' },
    backend: { name: 'forge', server: { product: 'sketch' }, sha256: 'ab' },
    timing: {
      seconds: 0.41,
      created: '1970-01-01T00:00:00.000Z',
      generated: '1970-01-01T00:00:01.000Z',
      judged: '1970-01-01T00:00:02.000Z',
    },
  });
});
