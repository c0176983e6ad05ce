import { defineConfig } from 'vitest/config';

/** Each folder under test/ is a project, so that `vitest --project unit` runs one of them. */
const project = (name: string, testTimeout: number) => ({
  test: { name, include: [`test/${name}/**/*.test.ts`], testTimeout, hookTimeout: 180_000 },
});

export default defineConfig({
  test: {
    globalSetup: ['test/support/global-setup.ts'],
    projects: [
      project('unit', 30_000),
      project('contract', 60_000),
      project('integration', 120_000),
      project('e2e', 600_000),
    ],
  },
});
