import path from 'node:path';
import { openClassifier } from '../src/classifier/index.js';
import { draw, type DrawRequest } from '../sketch/drawing/index.js';

/**
 * How well the demo model judges drawings that it has not seen, and how often its int8 variant agrees:
 * `demo-model [FOLDER] [--json]`. Seeds from 2^31 on are never trained on (models/demo/render.ts), so every picture is new.
 */
const count = 1000;
const sizes = [
  [512, 512],
  [512, 768],
  [768, 512],
  [640, 640],
] as const;
const prompts = [
  'a hand',
  'a child waving, photo',
  'a guitarist, film still',
  'anime girl waving',
  'a glossy 3d render of a hand',
];

const [folder = path.resolve('models/demo')] = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const classifier = await openClassifier({ model: folder });
const int8 = await openClassifier({ model: folder, dtype: 'q8' });
const labels = [...classifier.labels].sort();
const confusion = labels.map(() => labels.map(() => 0));
let sameLabel = 0;
let sameVerdict = 0;
let largestDifference = 0;
const bySort = new Map<string, { drawn: number; calledBad: number }>();

for (let i = 0; i < count; i++) {
  const { pixels, truth } = await draw(unseen(i));
  const scores = await classifier.classify(pixels);
  const bad = badness(scores);
  const int8Scores = await int8.classify(pixels);
  if (int8Scores[0]?.label === scores[0]?.label) sameLabel++;
  if (badness(int8Scores) >= 0.5 === bad >= 0.5) sameVerdict++;
  largestDifference = Math.max(largestDifference, Math.abs(badness(int8Scores) - bad));
  const row = confusion[labels.indexOf(truth.label)];
  const column = labels.indexOf(scores[0]?.label ?? '');
  if (row) row[column] = (row[column] ?? 0) + 1;
  const sort = bySort.get(truth.defect ?? 'good') ?? { drawn: 0, calledBad: 0 };
  bySort.set(truth.defect ?? 'good', {
    drawn: sort.drawn + 1,
    calledBad: sort.calledBad + (bad >= 0.5 ? 1 : 0),
  });
}
await classifier.close();
await int8.close();

const good = bySort.get('good') ?? { drawn: 0, calledBad: 0 };
const defects = [...bySort].filter(([sort]) => sort !== 'good').sort();
const sum = (key: 'drawn' | 'calledBad') => defects.reduce((total, [, counts]) => total + counts[key], 0);
const accuracy = confusion.reduce((total, row, i) => total + (row[i] ?? 0), 0) / count;
const recall = sum('calledBad') / sum('drawn');
const falseAlarms = good.calledBad / good.drawn;
const labelAgreement = sameLabel / count;
const verdictAgreement = sameVerdict / count;

console.log(
  `${count} unseen drawings, ${classifier.model.dtype}, revision ${classifier.model.revision.slice(0, 12)}\n`,
);
console.log(`| measure | value |\n|---|---|`);
console.log(`| four-label accuracy | ${accuracy.toFixed(3)} |`);
console.log(`| bad-anatomy recall (bad >= 0.5) | ${recall.toFixed(3)} |`);
console.log(`| false alarms | ${falseAlarms.toFixed(3)} |`);
console.log(`\n| drawn \\ called | ${labels.join(' | ')} |\n|---|${'---|'.repeat(labels.length)}`);
labels.forEach((label, i) => console.log(`| ${label} | ${(confusion[i] ?? []).join(' | ')} |`));
console.log(`\n| defect | drawn | called bad |\n|---|---|---|`);
for (const [defect, { drawn, calledBad }] of defects) console.log(`| ${defect} | ${drawn} | ${calledBad} |`);
console.log(`\n| int8 (q8) against fp32 | value |\n|---|---|`);
console.log(`| the same most probable label | ${labelAgreement.toFixed(3)} |`);
console.log(`| the same verdict (bad >= 0.5) | ${verdictAgreement.toFixed(3)} |`);
console.log(`| largest difference of a bad probability | ${largestDifference.toFixed(3)} |`);
if (process.argv.includes('--json')) {
  const agreement = { labelAgreement, verdictAgreement, largestDifference };
  console.log(
    JSON.stringify({ drawings: count, accuracy, recall, falseAlarms, labels, confusion, ...agreement }),
  );
}

function badness(scores: readonly { label: string; score: number }[]): number {
  return scores
    .filter(({ label }) => label.endsWith('Bad_Anatomy'))
    .reduce((sum, { score }) => sum + score, 0);
}

function unseen(i: number): DrawRequest {
  const [width, height] = sizes[i % sizes.length] ?? sizes[0];
  return {
    prompt: prompts[i % prompts.length] ?? '',
    negative_prompt: '',
    seed: 2 ** 31 + i,
    steps: 20,
    width,
    height,
    badRate: 0.5,
  };
}
