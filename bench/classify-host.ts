import { pipeline } from '@huggingface/transformers';
import { openClassifier } from '../src/classifier/index.js';

/** One way of classifying, in a process of its own: opens on start, then runs a round over all pictures when asked. */
export interface Contestant {
  way: 'pipeline' | 'reroll';
  model: string;
  dtype: 'fp32' | 'q8' | 'uint8';
  pictures: string[];
}

export interface Opened {
  /** From the start of the process to the first verdict. */
  firstVerdictMs: number;
}

export interface Round {
  seconds: number;
  cpuMs: number;
  /** The most probable label of each picture. */
  labels: string[];
  peakRssMb: number;
}

type Classify = (pictures: string[]) => Promise<string[]>;

/** As transformers.js's own documentation uses it: one picture after another. */
async function openPipeline({ model, dtype }: Contestant): Promise<Classify> {
  const classify = await pipeline('image-classification', model, { dtype, local_files_only: true });
  return async (pictures) => {
    const labels: string[] = [];
    for (const picture of pictures) {
      const [best] = (await classify(picture)) as { label: string }[];
      labels.push(best?.label ?? '');
    }
    return labels;
  };
}

/** As reroll's workers use it: the next picture is decoded while the model runs. */
async function openReroll({ model, dtype }: Contestant): Promise<Classify> {
  const classifier = await openClassifier({ model, dtype });
  return (pictures) =>
    Promise.all(pictures.map(async (picture) => (await classifier.classify(picture))[0]?.label ?? ''));
}

process.once('message', (contestant: Contestant) => {
  void (async () => {
    const open = contestant.way === 'pipeline' ? openPipeline : openReroll;
    const classify = await open(contestant);
    await classify(contestant.pictures.slice(0, 1));
    process.send?.({ firstVerdictMs: performance.now() } satisfies Opened);
    process.on('message', () => {
      void (async () => {
        const startedAt = performance.now();
        const cpu = process.cpuUsage();
        const labels = await classify(contestant.pictures);
        const { user, system } = process.cpuUsage(cpu);
        process.send?.({
          seconds: (performance.now() - startedAt) / 1000,
          cpuMs: (user + system) / 1000,
          labels,
          peakRssMb: process.resourceUsage().maxRSS / 1024,
        } satisfies Round);
      })();
    });
  })();
});
