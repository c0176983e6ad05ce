import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const projects = ['e2e', 'integration', 'sketch', 'contract', 'unit'];

/** The long ones first, so that no worker is left alone with them at the end. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ project }: TestSpecification) => projects.indexOf(project.name);
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}

/** Each folder under test/ is a project, so that `vitest --project unit` runs one of them. */
const project = (name: string, testTimeout: number, folder = `test/${name}`) => ({
  test: {
    name,
    include: [`${folder}/**/*.test.ts`],
    setupFiles: ['test/support/leaks.ts'],
    testTimeout,
    hookTimeout: 180_000,
  },
});

export default defineConfig({
  test: {
    globalSetup: ['test/support/global-setup.ts'],
    // Most tests wait for servers and processes: vitest's own choice, a core fewer than there are, would idle.
    maxWorkers: Math.max(2, availableParallelism()),
    sequence: { sequencer: LongestFirst },
    projects: [
      project('unit', 30_000),
      project('contract', 60_000),
      project('integration', 120_000),
      project('sketch', 120_000, 'sketch/test'),
      project('e2e', 600_000),
    ],
  },
});
