import {
  access,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { ConfigError, ModelError, StorageError } from '../../src/errors.js';
import { openClassifier } from '../../src/classifier/index.js';
import {
  convertModel,
  type ModelEvent,
  modelInfo,
  pullModel,
  type PullOptions,
  resolveModel,
} from '../../src/models/index.js';
import { type HubModel, refuse, startHub, type TestHub } from '../support/hub-server.js';
import { tinyVit, writeRandomVit } from '../../scripts/parity/random-vit.js';

const pinnedCommit = 'c0ffee'.padEnd(40, '0');
const publishedCommit = 'beef'.padEnd(40, '0');
const secretToken = 'hf_testTokenThatNobodyMaySee';

let folder: string;
let hub: TestHub;
let events: ModelEvent[];
let weights: Buffer;
/** A model as ONNX, its weights in a file of their own. */
let published: Record<'config.json' | 'preprocessor_config.json' | 'model' | 'data' | 'quantized', Buffer>;
let models: Record<string, HubModel>;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reroll-pull-'));
  await writeRandomVit(join(folder, 'made'), tinyVit);
  const file = (name: string) => readFile(join(folder, 'made', name));
  weights = await file('model.safetensors');
  const configs = {
    'config.json': await file('config.json'),
    'preprocessor_config.json': await file('preprocessor_config.json'),
  };
  const converted = join(folder, 'converted');
  await convertModel(join(folder, 'made'), converted, { maxInlineBytes: 50_000 });
  const onnx = (name: string) => readFile(join(converted, 'onnx', name));
  const [model, data, quantized] = await Promise.all([
    onnx('model.onnx'),
    onnx('model.onnx_data'),
    onnx('model_quantized.onnx'),
  ]);
  published = { ...configs, model, data, quantized };
  models = {
    'me/tiny': {
      commit: pinnedCommit,
      license: 'mit',
      files: {
        ...configs,
        'model.safetensors': weights,
        'README.md': Buffer.from('hello'),
        'optimizer.pt': weights,
      },
    },
    'me/onnx': {
      commit: publishedCommit,
      files: {
        ...configs,
        'model.safetensors': weights,
        'onnx/model.onnx': model,
        'onnx/model.onnx_data': data,
        'onnx/model_quantized.onnx': quantized,
        'onnx/model_bnb4.onnx': quantized,
      },
    },
    'me/bare': { commit: pinnedCommit, files: { ...configs, 'pytorch_model.bin': weights } },
    'me/language': {
      commit: pinnedCommit,
      files: { 'config.json': Buffer.from('{}'), 'model.safetensors': weights },
    },
    'me/swin': {
      commit: pinnedCommit,
      files: {
        ...configs,
        'config.json': Buffer.from('{"architectures":["SwinForImageClassification"],"model_type":"swin"}'),
        'model.safetensors': weights,
      },
    },
    'me/damaged': {
      commit: pinnedCommit,
      wrongChecksums: true,
      files: { ...configs, 'model.safetensors': weights },
    },
  };
  hub = await startHub(models);
  events = [];
});

afterEach(async () => {
  await hub.close();
  await rm(folder, { recursive: true });
});

const options = (more: Partial<PullOptions> = {}): PullOptions => ({
  patience: { tries: 3, backoffMs: 1, silenceMs: 20_000 },
  onEvent: (event) => events.push(event),
  ...more,
  env: {
    HF_ENDPOINT: hub.url,
    HF_HOME: join(folder, 'hf'),
    REROLL_CACHE: join(folder, 'cache'),
    ...more.env,
  },
});

async function failure(name: string, more?: Partial<PullOptions>): Promise<Error> {
  return pullModel(name, options(more)).then(
    () => expect.unreachable('it was pulled'),
    (error: unknown) => error as Error,
  );
}

const hubFolder = (name: string) => join(folder, 'hf', 'hub', `models--${name.replace('/', '--')}`);
const asked = () => hub.seen.map((request) => `${request.host} ${request.path}`);

describe('pulling a model', () => {
  it('fetches only what is needed, converts it, and keeps it under its commit', async () => {
    const model = await pullModel('me/tiny', options());
    expect(model.path).toBe(join(folder, 'cache', 'me--tiny', pinnedCommit));
    expect((await readdir(model.path)).sort()).toEqual([
      'config.json',
      'onnx',
      'preprocessor_config.json',
      'reroll.json',
    ]);
    expect((await readdir(join(model.path, 'onnx'))).sort()).toEqual(['model.onnx', 'model_quantized.onnx']);
    expect(await modelInfo(model.path)).toMatchObject({
      source: 'me/tiny',
      revision: pinnedCommit,
      license: 'mit',
      made: 'converted',
      architecture: 'ViTForImageClassification',
      labels: tinyVit.labels,
      imageSize: { height: 32, width: 32 },
      variants: [{ dtype: 'fp32' }, { dtype: 'q8' }],
    });
    expect(asked().join()).not.toMatch(/README|optimizer/);
    expect(await resolveModel('me/tiny', { env: options().env })).toBe(model.path);
  });

  it('leaves the files in the layout that Python reads: blobs, refs, relative links', async () => {
    await pullModel('me/tiny', options());
    const home = hubFolder('me/tiny');
    expect(await readFile(join(home, 'refs', 'main'), 'utf8')).toBe(pinnedCommit);
    const link = join(home, 'snapshots', pinnedCommit, 'model.safetensors');
    expect((await lstat(link)).isSymbolicLink()).toBe(true);
    expect(await readlink(link)).toMatch(/^\.\.\/\.\.\/blobs\/[0-9a-f]{64}$/);
    expect(await readFile(link)).toEqual(weights);
    expect(await readlink(join(home, 'snapshots', pinnedCommit, 'config.json'))).toMatch(
      /blobs\/[0-9a-f]{40}$/,
    );
    expect((await readdir(join(home, 'blobs'))).length).toBe(3);
  });

  it('reports the revision, each byte and each conversion', async () => {
    await pullModel('me/tiny', options());
    expect(events[0]).toMatchObject({
      kind: 'resolved',
      revision: pinnedCommit,
      bytes: expect.any(Number) as number,
    });
    const received = events.flatMap((event) =>
      event.kind === 'downloading' && event.file === 'model.safetensors' ? [event.received] : [],
    );
    expect(received[0]).toBe(0);
    expect(received.at(-1)).toBe(weights.length);
    expect(received).toEqual([...received].sort((a, b) => a - b));
    expect(events.filter((event) => event.kind === 'converted').map((event) => event.dtype)).toEqual([
      'fp32',
      'q8',
    ]);
  });

  it('does nothing twice: a second pull asks only for the revision', async () => {
    await pullModel('me/tiny', options());
    hub.seen.length = 0;
    events.length = 0;
    await pullModel('me/tiny', options());
    expect(asked()).toEqual(['hub /api/models/me/tiny/revision/main?blobs=true']);
    expect(events.map((event) => event.kind)).toEqual(['resolved']);
    await pullModel('me/tiny', options({ revision: pinnedCommit }));
    expect(hub.seen).toHaveLength(1);
  });

  it('adds a variant that was not made before, and keeps the others', async () => {
    await pullModel('me/tiny', options());
    const model = await pullModel('me/tiny', options({ variants: ['int8'] }));
    expect(Object.keys(model.manifest.variants)).toEqual(['fp32', 'q8', 'int8']);
  });

  it('uses the ONNX files of a repository as they are, and takes no others', async () => {
    const model = await pullModel('me/onnx', options());
    expect((await readdir(join(model.path, 'onnx'))).sort()).toEqual([
      'model.onnx',
      'model.onnx_data',
      'model_quantized.onnx',
    ]);
    expect(await readFile(join(model.path, 'onnx', 'model.onnx'))).toEqual(published.model);
    expect(model.manifest).toMatchObject({
      made: 'published',
      variants: { fp32: { bytes: published.model.length + published.data.length }, q8: {} },
    });
    expect(asked().join()).not.toMatch(/safetensors|bnb4/);
  });

  /** The published model with its weights in a file of another name, as long as the one that it has. */
  const keptIn = (location: string) => {
    expect(location).toHaveLength('model.onnx_data'.length);
    return Buffer.from(published.model.toString('latin1').replaceAll('model.onnx_data', location), 'latin1');
  };

  it.each([
    // Newer PyTorch; optimum, which exports to the root; anybody.
    ['onnx/', 'model.onnx.data'],
    ['', 'model.onnx.data'],
    ['', 'model.onnx_data'],
    ['', 'shard/part1.bin'],
  ])('takes the weights that an ONNX file in "%s" keeps in %s', async (place, location) => {
    models['me/external'] = {
      commit: pinnedCommit,
      files: {
        'config.json': published['config.json'],
        'preprocessor_config.json': published['preprocessor_config.json'],
        [`${place}model.onnx`]: keptIn(location),
        [`${place}${location}`]: published.data,
        [`${place}model.onnx_data_of_another`]: published.data,
      },
    };
    const { path, manifest } = await pullModel('me/external', options());
    expect(manifest.variants.fp32).toMatchObject({
      file: `${place}model.onnx`,
      bytes: published.model.length + published.data.length,
    });
    expect(asked().join()).not.toContain('of_another');
    await (await openClassifier({ model: path })).close();
    // Other weights are another model.
    const before = manifest.variants.fp32!.sha256;
    await rm(join(path, `${place}${location}`));
    await writeFile(join(path, `${place}${location}`), Buffer.alloc(published.data.length));
    await rm(join(path, 'reroll.json'));
    expect((await modelInfo(path)).variants[0]!.sha256).not.toBe(before);
    await rm(join(path, `${place}${location}`));
    await expect(openClassifier({ model: path })).rejects.toThrow(
      /is missing: .*model\.onnx keeps its weights there/,
    );
  });

  it('refuses weights outside the folder, and names ONNX files that lie elsewhere', async () => {
    const files = {
      'config.json': published['config.json'],
      'preprocessor_config.json': published['preprocessor_config.json'],
    };
    models['me/outside'] = {
      commit: pinnedCommit,
      files: { ...files, 'model.onnx': keptIn('../../../passwd') },
    };
    expect((await failure('me/outside')).message).toMatch(/only files beside it are read/);
    models['me/without'] = {
      commit: pinnedCommit,
      files: { ...files, 'model.onnx': keptIn('model.onnx.data') },
    };
    expect((await failure('me/without')).message).toMatch(/me\/without has no model\.onnx\.data/);
    models['me/elsewhere'] = {
      commit: pinnedCommit,
      files: { ...files, 'export/vit.onnx': published.model },
    };
    expect((await failure('me/elsewhere')).message).toMatch(/none where reroll looks .* export\/vit\.onnx/);
  });

  it('works offline from what was pulled, and from what only Python fetched', async () => {
    const { path } = await pullModel('me/tiny', options());
    const offline = options({ offline: true });
    hub.seen.length = 0;
    expect((await pullModel('me/tiny', offline)).path).toBe(path);
    await rm(join(folder, 'cache'), { recursive: true });
    expect((await pullModel('me/tiny', options({ env: { HF_HUB_OFFLINE: '1' } }))).path).toBe(path);
    expect(hub.seen).toEqual([]);
    expect(await failure('me/onnx', { offline: true })).toMatchObject({
      message: expect.stringMatching(/not in the cache.*offline/) as string,
    });
  });

  it('takes a branch whose name has slashes', async () => {
    const model = await pullModel('me/tiny', options({ revision: 'refs/pr/1' }));
    expect(await readFile(join(hubFolder('me/tiny'), 'refs', 'refs', 'pr', '1'), 'utf8')).toBe(pinnedCommit);
    expect(await resolveModel('me/tiny', { env: options().env, revision: 'refs/pr/1' })).toBe(model.path);
  });

  it.each(['../../etc', 'me/../tiny', 'a/b/c', '', 'me/tiny?x', '--help'])(
    'refuses the name %j',
    async (name) => {
      expect(await failure(name)).toBeInstanceOf(ConfigError);
      expect(hub.seen).toEqual([]);
    },
  );

  it.each(['../../../x', 'a//b', '.'])(
    'refuses the revision %j before it becomes a path',
    async (revision) => {
      hub.intercept = (_, response) => {
        response.end(JSON.stringify({ sha: pinnedCommit, siblings: [] }));
        return true;
      };
      expect(await failure('me/tiny', { revision, offline: true })).toBeInstanceOf(ConfigError);
    },
  );
});

describe('a Hub that fails', () => {
  it('says what a 401 means, with and without a token', async () => {
    hub.intercept = (_, response) => (refuse(response, 401, 'Repository not found'), true);
    const without = await failure('me/tiny');
    expect(without).toBeInstanceOf(ModelError);
    expect(without.message).toMatch(/401: Repository not found.*set HF_TOKEN/);
    expect((await failure('me/tiny', { env: { HF_TOKEN: secretToken } })).message).toMatch(
      /does not accept HF_TOKEN/,
    );
    expect(hub.seen).toHaveLength(2);
  });

  it('says what a 403 and a 404 mean, and does not ask again', async () => {
    hub.intercept = (_, response) => (refuse(response, 403, 'Access to model is restricted'), true);
    expect((await failure('me/tiny')).message).toMatch(/accept its terms/);
    hub.intercept = undefined;
    expect((await failure('me/nothing')).message).toMatch(/404.*Check the model's name and the revision/);
    expect((await failure('me/tiny', { revision: 'v9' })).message).toMatch(/404: Invalid rev id/);
    expect(hub.seen).toHaveLength(3);
  });

  it('waits as long as a 429 asks, and gives up after the set tries', async () => {
    let left = 2;
    hub.intercept = (_, response) => {
      if (left-- > 0) return (refuse(response, 429, 'Slow down', { 'retry-after': '0.01' }), true);
      return false;
    };
    await pullModel('me/tiny', options());
    expect(events.filter((event) => event.kind === 'retrying')).toMatchObject([
      { seconds: 0.01 },
      { seconds: 0.01 },
    ]);
    left = Infinity;
    expect((await failure('me/onnx')).message).toMatch(/429.*too many requests/);
  });

  it('does not wait for an hour', async () => {
    hub.intercept = (_, response) => (refuse(response, 429, 'Slow down', { 'retry-after': '3600' }), true);
    expect((await failure('me/tiny')).message).toMatch(/429/);
    expect(hub.seen).toHaveLength(1);
  });

  it('asks again after a 500, and gives up after the set tries', async () => {
    let failures = 1;
    hub.intercept = (_, response) => failures-- > 0 && (refuse(response, 500, 'Oops'), true);
    await pullModel('me/tiny', options());
    failures = Infinity;
    hub.seen.length = 0;
    expect((await failure('me/onnx')).message).toMatch(/500: Oops.*Try again later/);
    expect(hub.seen).toHaveLength(3);
  });

  it('says so where nothing listens, and where something else than a Hub answers', async () => {
    const gone = await startHub({});
    await gone.close();
    expect((await failure('me/tiny', { env: { HF_ENDPOINT: gone.url } })).message).toMatch(
      /127\.0\.0\.1:\d+ does not answer \(ECONNREFUSED\).*HF_ENDPOINT .*HTTPS_PROXY .*\.\/folder/,
    );
    hub.intercept = (_, response) => (response.end('<html>'), true);
    expect((await failure('me/tiny')).message).toMatch(/does not answer like a Hugging Face Hub/);
    expect(await failure('me/tiny', { env: { HF_ENDPOINT: 'nonsense' } })).toBeInstanceOf(ConfigError);
  });

  it('says within 5 s, with the usual patience, what to do without a network', async () => {
    // Takes connections and says nothing, as a firewall does.
    const silent = createServer((socket) => socket.resume().on('error', () => undefined));
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const port = String((silent.address() as AddressInfo).port);
    for (const [endpoint, reason] of [
      ['http://nobody.invalid', /nobody\.invalid does not answer \((ENOTFOUND|EAI_AGAIN)\)/],
      [`https://127.0.0.1:${port}`, /does not answer \(Connect Timeout/],
    ] as const) {
      const begun = Date.now();
      const { message } = await failure('me/tiny', { env: { HF_ENDPOINT: endpoint }, patience: {} });
      expect(message).toMatch(reason);
      expect(message).toMatch(/HF_ENDPOINT .*HTTPS_PROXY .*\.\/folder/);
      expect(Date.now() - begun).toBeLessThan(5_000);
    }
    await new Promise((closed) => silent.close(closed));
  });

  it('goes through the proxy that the environment names, but where NO_PROXY says otherwise', async () => {
    const asked: string[] = [];
    const proxy = createHttpServer();
    proxy.on('connect', (request, socket) => {
      asked.push(request.url!);
      const [host, port] = request.url!.split(':');
      const onward = connect(Number(port), host, () => socket.write('HTTP/1.1 200 OK\r\n\r\n'));
      onward.pipe(socket).pipe(onward);
      onward.on('error', () => socket.destroy());
      socket.on('error', () => onward.destroy());
    });
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    const env = { HTTP_PROXY: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}` };
    await pullModel('me/tiny', options({ env: { ...env, NO_PROXY: '127.0.0.1' } }));
    expect(asked).toEqual([]);
    await pullModel('me/onnx', options({ env }));
    expect(new Set(asked)).toContain(new URL(hub.url).host);
    proxy.close();
    await once(proxy, 'close');
    expect((await failure('me/tiny', { env })).message).toMatch(/HTTPS_PROXY/);
  });

  it('gives up a connection on which nothing arrives', async () => {
    hub.intercept = ({ host }) => host === 'storage';
    const silent = { tries: 2, backoffMs: 1, silenceMs: 200 };
    expect((await failure('me/tiny', { patience: silent })).message).toMatch(/nothing came for 0.2 s/);
  });

  it('stops when it is told to', async () => {
    const stop = new AbortController();
    hub.intercept = ({ host }) => (host === 'storage' ? (stop.abort(new Error('stopped')), true) : false);
    expect((await failure('me/tiny', { signal: stop.signal })).message).toBe('stopped');
  });

  it('sends the token to the Hub alone, not to the host that keeps its files, and never shows it', async () => {
    await pullModel('me/tiny', options({ env: { HF_TOKEN: secretToken } }));
    const tokens = new Map(hub.seen.map(({ host, authorization }) => [host, authorization]));
    expect(Object.fromEntries(tokens)).toEqual({ hub: `Bearer ${secretToken}`, storage: undefined });
    hub.intercept = (_, response) => (refuse(response, 404, `no ${secretToken} here`), true);
    expect((await failure('me/onnx', { env: { HF_TOKEN: secretToken } })).message).not.toContain(secretToken);
  });

  it('does not follow redirects for ever', async () => {
    hub.intercept = ({ path }, response) => (response.writeHead(302, { location: path }).end(), true);
    expect((await failure('me/tiny')).message).toMatch(/round in circles/);
  });
});

describe('a download that goes wrong', () => {
  it('goes on where the connection was cut, in the same pull', async () => {
    let cuts = 0;
    hub.intercept = ({ host, range }, response) => {
      if (host !== 'storage' || cuts === 4) return false;
      const start = Number(/\d+/.exec(range ?? '0')?.[0]);
      cuts++;
      response.writeHead(start > 0 ? 206 : 200, {
        'content-length': weights.length - start,
        ...(start > 0 && { 'content-range': `bytes ${start}-${weights.length - 1}/${weights.length}` }),
      });
      response.write(weights.subarray(start, start + 9000), () => response.destroy());
      return true;
    };
    await pullModel('me/tiny', options());
    // Four cuts are more than three tries: each try that brought bytes starts the count anew.
    expect(cuts).toBe(4);
    const ranges = hub.seen.filter(({ host }) => host === 'storage').map(({ range }) => range);
    expect(ranges[0]).toBeUndefined();
    expect(ranges.slice(1).every((range) => /^bytes=\d+-$/.test(range ?? ''))).toBe(true);
    expect(
      await readFile(join(hubFolder('me/tiny'), 'snapshots', pinnedCommit, 'model.safetensors')),
    ).toEqual(weights);
  });

  it('goes on where an earlier pull was stopped', async () => {
    hub.intercept = ({ host }, response) => {
      if (host !== 'storage') return false;
      response.writeHead(200, { 'content-length': weights.length });
      response.write(weights.subarray(0, 5000), () => response.destroy());
      hub.intercept = (request, again) => request.host === 'storage' && (again.destroy(), true);
      return true;
    };
    expect((await failure('me/tiny')).message).toMatch(/what was fetched so far is kept/);
    hub.intercept = undefined;
    hub.seen.length = 0;
    await pullModel('me/tiny', options());
    expect(hub.seen.filter(({ host }) => host === 'storage')).toMatchObject([{ range: 'bytes=5000-' }]);
  });

  it('starts over where the server cannot resume', async () => {
    let first = true;
    hub.intercept = ({ host }, response) => {
      if (host !== 'storage') return false;
      response.writeHead(200, { 'content-length': weights.length });
      if (first) response.write(weights.subarray(0, 5000), () => response.destroy());
      else response.end(weights);
      first = false;
      return true;
    };
    await pullModel('me/tiny', options());
    expect(
      await readFile(join(hubFolder('me/tiny'), 'snapshots', pinnedCommit, 'model.safetensors')),
    ).toEqual(weights);
  });

  it('refuses and deletes a file whose checksum is wrong', async () => {
    const error = await failure('me/damaged');
    expect(error).toBeInstanceOf(ModelError);
    expect(error.message).toMatch(/arrived damaged: its checksum is not the Hub's/);
    expect(await readdir(join(hubFolder('me/damaged'), 'blobs'))).toEqual([]);
    await expect(access(join(folder, 'cache'))).rejects.toThrow();
  });

  it('refuses a file that is longer than promised', async () => {
    hub.intercept = ({ host }, response) =>
      host === 'storage' && (response.end(Buffer.concat([weights, weights])), true);
    expect((await failure('me/tiny')).message).toMatch(/longer than the \d+ bytes/);
  });

  it('does not believe an earlier part that is too long or that was altered', async () => {
    const first = await pullModel('me/tiny', options());
    const blob = join(
      hubFolder('me/tiny'),
      'snapshots',
      pinnedCommit,
      await readlink(join(hubFolder('me/tiny'), 'snapshots', pinnedCommit, 'model.safetensors')),
    );
    await rm(first.path, { recursive: true });
    await rm(blob);
    await writeFile(`${blob}.reroll-incomplete`, Buffer.concat([weights, weights]));
    await pullModel('me/tiny', options());
    expect(await readFile(blob)).toEqual(weights);
    await rm(first.path, { recursive: true });
    await rm(blob);
    await writeFile(`${blob}.reroll-incomplete`, Buffer.alloc(5000));
    expect((await failure('me/tiny')).message).toMatch(/arrived damaged/);
    await pullModel('me/tiny', options());
    expect(await readFile(blob)).toEqual(weights);
  });

  it.skipIf(process.platform !== 'linux')('says so when the disk is full', async () => {
    const listed = await (await fetch(`${hub.url}/api/models/me/tiny/revision/main?blobs=true`)).json();
    const { siblings } = listed as { siblings: { rfilename: string; lfs?: { sha256: string } }[] };
    const hash = siblings.find(({ rfilename }) => rfilename === 'model.safetensors')?.lfs?.sha256 ?? '';
    await mkdir(join(hubFolder('me/tiny'), 'blobs'), { recursive: true });
    await symlink('/dev/full', join(hubFolder('me/tiny'), 'blobs', `${hash}.reroll-incomplete`));
    const error = await failure('me/tiny');
    expect(error).toBeInstanceOf(StorageError);
    expect(error.message).toMatch(/the disk is full: free some space/);
  });
});

describe('a model that no gate can use', () => {
  it.each([
    ['me/bare', /neither safetensors nor ONNX/],
    ['me/language', /has no preprocessor_config.json/],
    ['me/swin', /SwinForImageClassification .* cannot be converted/],
  ])('refuses %s', async (name, message) => {
    const error = await failure(name);
    expect(error).toBeInstanceOf(ModelError);
    expect(error.message).toMatch(message);
    await expect(resolveModel(name, { env: options().env })).rejects.toThrow(`reroll model pull ${name}`);
  });

  it('refuses published ONNX files of another task, or without labels', async () => {
    const files = models['me/onnx']!.files;
    files['config.json'] = Buffer.from('{"architectures":["ViTModel"],"model_type":"vit"}');
    expect((await failure('me/onnx')).message).toMatch(/is a ViTModel: a gate needs an image classifier/);
    await rm(join(folder, 'hf'), { recursive: true });
    files['config.json'] = Buffer.from(
      '{"architectures":["SwinForImageClassification"],"model_type":"swin"}',
    );
    expect((await failure('me/onnx')).message).toMatch(/no id2label/);
  });
});
