import { existsSync, linkSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium, type Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  writeManifest,
  writeReport,
  writeThumbnail,
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

/** Writes a report of shots into a folder of its own; answers the folder. */
async function written(shots: ReportShot[], more: Partial<Report<ReportShot>> = {}): Promise<string> {
  const into = more.folder ?? (await mkdtemp(join(folder, 'run-')));
  const about = { run: 'portraits-3', name: 'portraits', model: 'models/demo', shots: each(shots), fileOf };
  await writeReport({ ...about, ...more, folder: into });
  return into;
}

/** The same, of pictures that are there no more; answers its first page. */
const textOf = async (shots: ReportShot[], more: Partial<Report<ReportShot>> = {}): Promise<string> =>
  readFile(join(await written(shots, more), 'report.html'), 'utf8');

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
  'the report opens from disk without network, errors or scripts; every attempt of a shot stands beside the one before',
  async () => {
    const lengths = [1, 2, 1, 3, 1, 1, 2, 4, 1, 2, 1, 1, 5, 1, 2, 1, 3, 1];
    const shots = [
      ...lengths.map((attempts, index) => shotOf(index + 1, attempts)),
      shotOf(19, 6, 'exhausted'),
      shotOf(20, 0, 'failed'),
      inReview(shotOf(21, 2, 'exhausted')),
    ];
    await writePictures(shots);
    await rm(join(folder, fileOf(shots[3]!, shots[3]!.attempts[0]!)));
    const truth = { accepted: 18, badAccepted: 1, firstAttempts: 19, badFirstAttempts: 9 };
    await written(shots, { truth, folder });
    const file = join(folder, 'report.html');
    const browser: Browser = await chromium.launch({ executablePath: chromiumPath, args: browserArguments });
    try {
      const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, hasTouch: true });
      const complaints: string[] = [];
      const requests: string[] = [];
      page.on('console', (message) => complaints.push(message.text()));
      page.on('pageerror', (error) => complaints.push(error.message));
      page.on('dialog', (dialog) => complaints.push(dialog.message()));
      page.on('request', (sent) => requests.push(sent.url()));
      await page.goto(pathToFileURL(file).href);

      const images = page.locator('img');
      expect(await images.count()).toBe(33 + 6 + 2 - 1);
      // Those out of sight are loaded where somebody scrolls to them.
      await page.evaluate(
        'Promise.all([...document.images].map((image) => ((image.loading = "eager"), image.decode())))',
      );
      for (const alt of await page.evaluate<string[]>('[...document.images].map(({ alt }) => alt)')) {
        expect(alt).toMatch(/^p\d, shot \d+, attempt \d: /);
      }
      expect(complaints).toEqual([]);
      expect(requests.filter((url) => !url.startsWith(pathToFileURL(folder).href))).toEqual([]);
      expect(await page.locator('script').count()).toBe(0);
      expect(await page.locator('figure.rejected').count()).toBe(15 + 5 + 1);
      expect(await page.locator('#exhausted figure').count()).toBe(6);
      expect(await page.locator('#exhausted .kept').innerText()).toContain('kept as the best');
      expect(await page.locator('#review .review').innerText()).toContain('for review');
      expect(await page.locator('figure i').innerText()).toContain('is not there any more');
      expect(await page.locator('svg[role=img]').count()).toBe(2);
      expect(await page.locator('#failed').innerText()).toContain(
        'checkpoint <b>nothing.safetensors</b> is not there',
      );
      expect(await page.locator('.accepted a').first().getAttribute('href')).toBe('p/1%20%231.png');
      const captions = await page.locator('#accepted figcaption b + em').count();
      expect(captions).toBe(33);
      const order = await page
        .locator('#accepted figcaption')
        .evaluateAll((found) =>
          (found as unknown as { textContent: string }[]).map(({ textContent }) =>
            /shot (\d+), attempt (\d+)/.exec(textContent)!.slice(1).map(Number),
          ),
        );
      expect(order).toEqual([...order].sort(([a, b], [c, d]) => a! - c! || b! - d!));

      const screenshots = '.reroll-test';
      await mkdir(screenshots, { recursive: true });
      await page.screenshot({ path: join(screenshots, 'report-light.png'), fullPage: true });
      await page.emulateMedia({ colorScheme: 'dark' });
      await page.setViewportSize({ width: 390, height: 844 });
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390);
      const boxes = await Promise.all([0, 1, 2].map((at) => page.locator('figure').nth(at).boundingBox()));
      expect(boxes[1]!.y).toBe(boxes[0]!.y);
      expect(boxes[2]!.y).toBeGreaterThan(boxes[0]!.y);
      expect(boxes[1]!.x + boxes[1]!.width).toBeLessThan(390);
      await page.locator('nav a', { hasText: 'Accepted' }).tap();
      await expect.poll(async () => (await page.locator('#accepted h2').boundingBox())!.y).toBeLessThan(200);
      const first = page.locator('#accepted figcaption').first();
      expect(await first.innerText()).not.toContain('a pianist');
      await first.tap();
      expect(await first.innerText()).toContain(hostile);
      await page.screenshot({ path: join(screenshots, 'report-phone-dark.png') });
    } finally {
      await browser.close();
    }
  },
);

/** The same shot with its last attempt laid aside for a person. */
function inReview(shot: ReportShot): ReportShot {
  const { verdict } = shot.attempts.at(-1)!;
  return {
    ...shot,
    attempts: shot.attempts.with(-1, {
      ...shot.attempts.at(-1)!,
      verdict: { ...verdict!, decision: 'review' },
    }),
  };
}

test('a report of a run without any picture is still a report', async () => {
  const failed = await textOf([shotOf(1, 0, 'failed')], { fileOf: () => undefined });
  expect(failed).toMatch(/0 \/ 1[^]*shots accepted[^]*<\/html>\n$/);
  expect(await textOf([shotOf(1, 3)], { fileOf: () => undefined })).toContain(
    'Of 3 judged attempts no picture was kept',
  );
});

test('the charts leave no number out, say of how many a share is, and the failures come first', async () => {
  const shots = [shotOf(1, 1), shotOf(2, 4), shotOf(3, 20), shotOf(4, 0, 'failed'), shotOf(5, 0, 'failed')];
  const text = await textOf(shots);
  expect(text).toContain(
    'Attempts per image: 1 image took 1 attempt; 0 images took 2 attempts; 0 images took 3 attempts; 1 image took 4 attempts; 0',
  );
  expect(text).toContain('0 images took 11 attempts; 1 image took 12+ attempts"');
  expect(text).toMatch(/class="note"[^>]*>of 3</);
  expect(text).toContain('attempt 12+: 8 of 9 rejected');
  expect(text).toContain('changed: cfg_scale 7');
  expect(text).toMatch(/<b>2 shots<\/b>: forge: checkpoint[^]*shot 4; p3, shot 5/);
  expect(text.indexOf('>Failed<')).toBeLessThan(text.indexOf('>Accepted<'));
});

test('a run that goes on has a report too, which says so', async () => {
  const { outcome, kept, published, ...open } = shotOf(2, 3);
  const text = await textOf([shotOf(1, 2), open], { asOf: new Date('2026-05-17T03:20') });
  expect([outcome, kept, published]).toEqual(['accepted', 3, 'p/2 #1.png']);
  expect(text).toContain('Written on 17 May 2026 at 03:20, when 1 of 2 shots had ended.');
  expect(text).toMatch(/id="open"[^]*Not over yet[^]*shot 2, attempt 3/);
});

test('a verdict of an older version whose scores are no numbers is told as one, and breaks nothing', async () => {
  const shot = shotOf(1, 1);
  // JSON makes null of NaN.
  const broken = { decision: 'accept', rejected: null, scores: [{ label: 'Bad', score: null }] };
  shot.attempts[0]!.verdict = broken as unknown as NonNullable<ReportAttempt['verdict']>;
  expect(await textOf([shot])).toMatch(/<em>accepted<\/em>[^]*no number Bad/);
  await writeManifest(join(folder, 'no-numbers.jsonl'), each([shot]));
  expect(JSON.parse(await readFile(join(folder, 'no-numbers.jsonl'), 'utf8'))).toMatchObject({
    attempts: [{ rejected: null, scores: { Bad: null } }],
  });
});

test('a chart of nothing is not drawn', async () => {
  const exhausted = await textOf([shotOf(1, 2, 'exhausted')]);
  expect(exhausted).toContain('No image was accepted.');
  expect(exhausted.match(/<svg/g)).toHaveLength(1);
  expect(await textOf([shotOf(1, 0, 'failed')])).toContain('No attempt was judged.');
});

test('a thumbnail is made once, and shown where the image was rejected and not kept', async () => {
  const into = await mkdtemp(join(folder, 'run-'));
  const shot = shotOf(1, 2);
  await writeFile(join(into, 'kept.png'), await drawing(1, false));
  expect(await writeThumbnail(into, { shot: 1, number: 1 }, await drawing(2, true))).toBe(true);
  const kept = (_: ReportShot, { number }: ReportAttempt) => (number === 2 ? 'kept.png' : undefined);
  await written([shot], { folder: into, fileOf: kept });
  const text = await readFile(join(into, 'report.html'), 'utf8');
  expect(text.match(/<a href="[^#"]*">/g)).toEqual(['<a href="thumbnails/1/1.webp">', '<a href="kept.png">']);
  const made = await stat(join(into, 'thumbnails/2/1.webp'));
  await written([shot], { folder: into, fileOf: kept });
  expect((await stat(join(into, 'thumbnails/2/1.webp'))).mtimeMs).toBe(made.mtimeMs);
  expect((await readdir(into)).sort()).toEqual(['kept.png', 'report.html', 'thumbnails']);
});

test('what is no picture has no thumbnail, and is no error', async () => {
  expect(await writeThumbnail(folder, { shot: 9, number: 1 }, Buffer.from('nonsense'))).toBe(false);
  const into = await mkdtemp(join(folder, 'run-'));
  await writeFile(join(into, 'broken.png'), 'nonsense');
  const text = await textOf([shotOf(1, 1)], { folder: into, fileOf: () => 'broken.png' });
  expect(text).toContain('broken.png cannot be shown');
});

test('a large run has pages, on which every image stands once, and memory stays flat', async () => {
  const into = await mkdtemp(join(folder, 'run-'));
  await writeThumbnail(into, { shot: 0, number: 0 }, await drawing(1, false));
  const many = 9_000;
  await Promise.all([1, 2, 3].map((number) => mkdir(join(into, 'thumbnails', String(number)))));
  let alive = 0;
  const shots = async function* (): AsyncGenerator<ReportShot> {
    for (let index = 1; index <= many; index++) {
      if (index % 1000 === 0) alive = Math.max(alive, process.memoryUsage().heapUsed);
      yield shotOf(index, 1 + (index % 3), index % 10 === 0 ? 'exhausted' : 'accepted');
    }
  };
  const expected: string[] = [];
  for await (const { index, attempts } of shots()) {
    for (const { number } of attempts) {
      expected.push(`thumbnails/${number}/${index}.webp`);
      linkSync(join(into, 'thumbnails/0/0.webp'), join(into, expected.at(-1)!));
    }
  }
  await written([], { folder: into, shots: shots(), fileOf: () => undefined });
  expect(alive).toBeLessThan(250e6);
  const first = await readFile(join(into, 'report.html'), 'utf8');
  expect(first).toContain('8,100 / 9,000');
  const files = (await readdir(into)).filter((file) => /^report-/.test(file)).sort();
  expect(files).toEqual(['report-accepted-1.html', 'report-accepted-2.html', 'report-exhausted-1.html']);
  const pages = new Map<string, string>();
  for (const file of files) pages.set(file, await readFile(join(into, file), 'utf8'));
  const shown = [...pages.values()].flatMap((text) =>
    [...text.matchAll(/<img[^>]* src="([^"]*)"/g)].map(([, path]) => path!),
  );
  expect(shown.sort()).toEqual(expected.sort());
  for (const text of [first, ...pages.values()]) {
    for (const [, file = '', anchor = ''] of text.matchAll(/href="(report-[^"#]*)#([^"]*)"/g)) {
      expect(pages.get(file)).toContain(`id="${anchor}"`);
    }
  }

  await written([shotOf(1, 1)], { folder: into });
  expect((await readdir(into)).filter((file) => /^report/.test(file))).toEqual(['report.html']);
});

test('a manifest of a large run is streamed', async () => {
  const many = 10_000;
  const shots = async function* (): AsyncGenerator<ReportShot> {
    for (let index = 1; index <= many; index++) yield shotOf(index, 1);
  };
  await writeManifest(join(folder, 'large.jsonl'), shots());
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
