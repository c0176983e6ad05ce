import importX from 'eslint-plugin-import-x';
import tseslint from 'typescript-eslint';

/**
 * The layout: which rooms of src/ a room may import, besides errors.ts. Arrows point one way;
 * a room is entered by its index.ts. See docs/architecture.md.
 */
const rooms = {
  base: [],
  loop: ['base'],
  onnx: ['base'],
  pipeline: ['base', 'loop'],
  net: [],
  backends: ['base', 'net', 'loop'],
  images: ['base'],
  report: ['base', 'loop', 'images'],
  classifier: ['base'],
  models: ['base', 'onnx'],
  blobs: ['base'],
  ledger: ['base', 'loop'],
  queue: ['base'],
  runtime: [
    'base',
    'loop',
    'pipeline',
    'net',
    'backends',
    'blobs',
    'images',
    'report',
    'classifier',
    'models',
    'ledger',
    'queue',
  ],
  cli: ['base', 'loop', 'pipeline', 'backends', 'images', 'report', 'classifier', 'models', 'runtime'],
};

const forbid = (room) => [
  ...Object.keys(rooms)
    .filter((other) => other !== room && !rooms[room].includes(other))
    .map((other) => ({
      regex: `/${other}/`,
      message: `src/${room} may not import src/${other}: see docs/architecture.md.`,
    })),
  // base has no door: each of its files stands alone.
  ...rooms[room]
    .filter((other) => other !== 'base')
    .map((other) => ({
      regex: `/${other}/(?!index\\.js$)`,
      message: `Enter src/${other} by its index.ts.`,
    })),
  { regex: '/test/|/bench/', message: 'Nothing imports tests or benchmarks.' },
  ...(room === 'runtime' ? [] : [{ regex: '/workers/', message: 'Only src/runtime imports workers/.' }]),
  ...(room === 'queue' ? [] : [{ regex: '^bullmq$', message: 'Only src/queue imports bullmq.' }]),
  // The two places that start one: a pipeline's entry, and the command.
  ...(['runtime', 'cli'].includes(room)
    ? [{ regex: '/sketch/(?!index\\.js$)', message: 'Enter sketch by its index.ts.' }]
    : [{ regex: '/sketch/', message: 'The sketch server is a server that is started, and nothing else.' }]),
];

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', '.reroll/', '.reroll-test/', 'out/', 'eslint.config.js'] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    plugins: { 'import-x': importX },
    rules: {
      'import-x/no-cycle': ['error', { ignoreExternal: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      // A port's method may be async in one implementation and not in another.
      '@typescript-eslint/require-await': 'off',
      'no-console': 'error',
      // One style: what a class keeps to itself is `#private`, a constant is named like any other value.
      'no-restricted-syntax': [
        'error',
        {
          selector:
            'PropertyDefinition[accessibility="private"], MethodDefinition[accessibility="private"][kind!="constructor"], TSParameterProperty[accessibility="private"]',
          message: 'Write #name: the language keeps it private, not the compiler alone.',
        },
        {
          selector: 'VariableDeclarator[id.name=/^[A-Z][A-Z0-9_]+$/]',
          message: 'Constants are in camelCase.',
        },
      ],
    },
  },
  ...Object.keys(rooms).map((room) => ({
    files: [`src/${room}/**/*.ts`],
    rules: { '@typescript-eslint/no-restricted-imports': ['error', { patterns: forbid(room) }] },
  })),
  {
    // What every command loads: it must start at once. The work is imported when the command runs.
    files: ['src/cli/main.ts', 'src/cli/exit.ts', 'src/cli/commands/*.ts'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          patterns: [
            ...forbid('cli'),
            {
              regex: '^(?!node:|commander$|\\./|\\.\\./errors\\.js$|(\\.\\./)+base/)',
              allowTypeImports: true,
              message: 'Import it where the command runs: await import(...).',
            },
          ],
        },
      ],
    },
  },
  {
    // It stands for a foreign server, so it may not share even our error classes.
    files: ['sketch/**/*.ts'],
    ignores: ['sketch/test/**'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        { patterns: [{ regex: '/src/|/workers/', message: 'sketch imports nothing of the rest.' }] },
      ],
    },
  },
  { files: ['src/cli/**', 'bench/**', 'test/**', 'sketch/test/**'], rules: { 'no-console': 'off' } },
  { files: ['test/**', 'sketch/test/**'], rules: { '@typescript-eslint/no-non-null-assertion': 'off' } },
);
