import { startSketchServer, type SketchOptions } from '../sketch/index.js';

/** A process of their own for sketch servers, so that drawing does not count as reroll's work. See arena.ts. */
process.once('message', (options: Partial<SketchOptions>[]) => {
  void Promise.all(options.map((each) => startSketchServer(each))).then((servers) => {
    process.send?.(servers.map(({ url }) => url));
    process.on('message', () => process.send?.(servers.map((server) => server.stats())));
  });
});
