import importX from 'eslint-plugin-import-x';
import tseslint from 'typescript-eslint';

/**
 * The house: which rooms of src/ a room may import, besides errors.ts. Arrows point one way;
 * a room is entered by its index.ts. See docs/architecture.md.
 */
const rooms = {
  loop: [],
  pipeline: ['loop'],
  net: [],
  backends: ['net', 'loop'],
  images: [],
  report: ['loop', 'images'],
  classifier: [],
  models: [],
  ledger: ['loop'],
  queue: [],
  sketch: [],
  runtime: [
    'loop',
    'pipeline',
    'net',
    'backends',
    'images',
    'report',
    'classifier',
    'models',
    'ledger',
    'queue',
    'sketch',
  ],
  cli: ['loop', 'pipeline', 'backends', 'images', 'report', 'classifier', 'models', 'sketch', 'runtime'],
};

/** sketch stands for a foreign server, so it may not share even our error classes. */
const mayImportErrors = (room) => room !== 'sketch';

const forbid = (room) => [
  ...Object.keys(rooms)
    .filter((other) => other !== room && !rooms[room].includes(other))
    .map((other) => ({
      regex: `/${other}/`,
      message: `src/${room} may not import src/${other}: see docs/architecture.md.`,
    })),
  ...rooms[room].map((other) => ({
    regex: `/${other}/(?!index\\.js$)`,
    message: `Enter src/${other} by its index.ts.`,
  })),
  { regex: '/test/|/bench/', message: 'Nothing imports tests or benchmarks.' },
  ...(room === 'runtime' ? [] : [{ regex: '/workers/', message: 'Only src/runtime imports workers/.' }]),
  ...(room === 'queue' ? [] : [{ regex: '^bullmq$', message: 'Only src/queue imports bullmq.' }]),
  ...(mayImportErrors(room)
    ? []
    : [{ regex: '/errors\\.js$', message: 'src/sketch imports nothing of the rest.' }]),
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
    },
  },
  ...Object.keys(rooms).map((room) => ({
    files: [`src/${room}/**/*.ts`],
    rules: { '@typescript-eslint/no-restricted-imports': ['error', { patterns: forbid(room) }] },
  })),
  { files: ['src/cli/**', 'bench/**', 'test/**'], rules: { 'no-console': 'off' } },
  { files: ['test/**'], rules: { '@typescript-eslint/no-non-null-assertion': 'off' } },
);
