import { freeClassifier, hostSketchServers, printFigures, runPipelines } from './arena.js';

/**
 * Two checkpoints that take turns in the pipeline, and servers that take 2 s to load another one: what it brings that
 * a server stays with the checkpoint that it has loaded, against sending the shots in their order.
 */
const shots = 60;
const latencyMs = 200;
const reloadMs = 2000;
const checkpoints = ['first.safetensors', 'second.safetensors'];
const options = [0, 1].map(() => ({ latencyMs, reloadMs, checkpoints }));

const host = await hostSketchServers(options);
const { seconds } = await runPipelines(
  [
    {
      name: 'thrash',
      seed: 1,
      backends: host.urls.map((url, place) => ({ name: `s${place}`, kind: 'a1111', url, slots: 2 })),
      generate: { width: 64, height: 64 },
      prompts: [{ text: 'a hand', matrix: { checkpoint: checkpoints }, count: shots / 2 }],
      gate: { model: 'free' },
      retry: { attempts: 1, ladder: ['new_seed'] },
      output: { dir: 'out' },
    },
  ],
  { classifier: freeClassifier(1) },
);
host.close();

const plain = await hostSketchServers(options);
const plainSeconds = await inOrder(plain.urls);
plain.close();

const speedup = plainSeconds / seconds;
printFigures(
  [
    `${shots} shots that alternate between 2 checkpoints, ${reloadMs} ms to load one, ${latencyMs} ms an image, 2 servers`,
    `in order  ${plainSeconds.toFixed(1)} s`,
    `reroll    ${seconds.toFixed(1)} s: ${speedup.toFixed(2)} times the throughput`,
  ],
  { speedup },
);

/** Every free server takes the next shot in order: a queue that knows nothing of checkpoints. */
async function inOrder(urls: string[]): Promise<number> {
  const startedAt = performance.now();
  let next = 0;
  await Promise.all(
    urls.map(async (url) => {
      for (let shot = next++; shot < shots; shot = next++) {
        const response = await fetch(`${url}/sdapi/v1/txt2img`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({
            prompt: 'a hand',
            seed: shot,
            steps: 20,
            width: 64,
            height: 64,
            override_settings: { sd_model_checkpoint: checkpoints[shot % 2] },
            override_settings_restore_afterwards: false,
          }),
        });
        await response.arrayBuffer();
      }
    }),
  );
  return (performance.now() - startedAt) / 1000;
}
