import { readFileSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import ts from 'typescript';
import { expect, it } from 'vitest';

const types = resolve('src/loop/types.ts');
const guide = readFileSync('CONTRIBUTING.md', 'utf8');
const sources = ['src/cli/main.ts', 'test/contract/backends.test.ts'];

const { options } = ts.parseJsonConfigFileContent(
  ts.readConfigFile('tsconfig.json', (path) => ts.sys.readFile(path)).config,
  ts.sys,
  '.',
);
let before: ts.Program | undefined;

/** The files in which the compiler finds an error after `text` of the loop's types has become `other`, worst first. */
function errorsAfter(text: string, other: string): string[] {
  const host = ts.createCompilerHost({ ...options, noEmit: true });
  const getSourceFile = host.getSourceFile.bind(host);
  host.getSourceFile = (name, ...how) => {
    if (resolve(name) !== types) {
      // Files that stay the same are parsed once.
      return before?.getSourceFile(name) ?? getSourceFile(name, ...how);
    }
    const written = readFileSync(types, 'utf8');
    expect(written).toContain(text);
    return ts.createSourceFile(name, written.replace(text, other), how[0], true);
  };
  const program = ts.createProgram({ rootNames: sources, options: { ...options, noEmit: true }, host });
  before ??= program;
  const files = program.getSemanticDiagnostics().map(({ file }) => relative('.', file?.fileName ?? ''));
  return [...new Set(files)].sort();
}

/** The files that the guide lists under a heading. */
function listed(heading: string): string[] {
  const section = guide.split(`### ${heading}\n`)[1]?.split(/^##/m)[0] ?? '';
  return [...section.matchAll(/^- `([^`]+)`/gm)].map(([, path]) => path ?? '').sort();
}

it.each([
  ['A kind of backend', "BackendKind = 'a1111' | 'comfyui'", "BackendKind = 'a1111' | 'comfyui' | 'invoke'"],
  [
    'A rung of the ladder',
    "({ kind: 'new_seed' }",
    "({ kind: 'new_seed' } | { kind: 'wait'; seconds: number }",
  ],
  [
    'A way of repairing',
    "| { with: 'workflow'",
    "| { with: 'upscaler'; scale: number } | { with: 'workflow'",
  ],
  ['A rule of the gate', "kind: 'share';", "kind: 'least'; most: number } | { kind: 'share';"],
])('%s does not compile before every file that the guide names is done', (heading, text, other) => {
  expect(listed(heading)).not.toEqual([]);
  expect(errorsAfter(text, other)).toEqual(listed(heading));
});
