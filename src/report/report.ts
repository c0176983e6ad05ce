import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder, writeAtomically } from '../base/atomic.js';
import { storing } from '../base/storage.js';
import { cardsOf, type FileOf } from './cards.js';
import { groupOf } from './groups.js';
import { inParts } from './manifest.js';
import { pageTexts } from './page.js';
import { pagesOf } from './pages.js';
import type { Truth } from './overview.js';
import { Sheets } from './sheets.js';
import { countShot, emptyTally, type Tally } from './tally.js';
import type { ReportShot } from './types.js';

export interface Report<S extends ReportShot> {
  /** The run's id. */
  run: string;
  /** The pipeline's name. */
  name: string;
  /** The classifier's name. */
  model: string;
  /** The run's folder: what paths are relative to. Made if there is none. */
  folder: string;
  /** Set while the run goes on: when this was written. */
  asOf?: Date;
  /** All shots by index. Gone over once, and never held. */
  shots: AsyncIterable<S>;
  fileOf: FileOf<S>;
  /** Counts of really bad images, where the servers know what they drew. */
  truth?: Truth;
}

/** Shots whose pictures are looked for at a time: decoding uses every core, and memory stays flat. */
const batchSize = 16;

/**
 * Writes report.html, where it would be too large the pages beside it, and the thumbnails that are not there yet. No
 * network, no script. Streams; throws StorageError.
 */
export async function writeReport<S extends ReportShot>(report: Report<S>): Promise<void> {
  const { folder } = report;
  await storing('make the folder', folder, () => makeFolder(folder, false));
  const sheets = new Sheets(folder);
  try {
    const tally = await lookAt(report, sheets);
    const pages = pagesOf(await sheets.parts());
    const content = { ...report, tally, pages, read: sheets.read.bind(sheets) };
    for (const page of pages) {
      const texts = pageTexts(content, page);
      await writeAtomically(join(folder, page.file), inParts(texts));
    }
    await removeOthers(folder, new Set(pages.map(({ file }) => file)));
  } finally {
    await sheets.close();
  }
}

async function lookAt<S extends ReportShot>(report: Report<S>, sheets: Sheets): Promise<Tally> {
  const tally = emptyTally();
  let batch: S[] = [];
  const write = async () => {
    const { fileOf, folder } = report;
    const made = await Promise.all(
      batch.map(async (shot) => ({ shot, cards: await cardsOf(shot, fileOf, folder) })),
    );
    batch = [];
    for (const { shot, cards } of made) {
      countShot(tally, shot, cards.length);
      await sheets.add(groupOf(shot), shot.index, cards);
    }
  };
  for await (const shot of report.shots) {
    batch.push(shot);
    if (batch.length === batchSize) await write();
  }
  await write();
  return tally;
}

/** Pages that an earlier report had and this one has not: nothing leads there any more. */
async function removeOthers(folder: string, files: Set<string>): Promise<void> {
  const old = (await readdir(folder)).filter(
    (file) => /^report-[a-z]+-\d+\.html$/.test(file) && !files.has(file),
  );
  for (const file of old) await rm(join(folder, file), { force: true });
}
