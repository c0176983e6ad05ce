import type { runs } from './tables.js';
import type { Run } from './types.js';

/** `row` without the columns that are null: in records what is not known is absent. */
type Present<Row> = {
  [Key in keyof Row as null extends Row[Key] ? never : Key]: Row[Key];
} & {
  [Key in keyof Row as null extends Row[Key] ? Key : never]?: NonNullable<Row[Key]>;
};

export function present<Row extends object>(row: Row): Present<Row> {
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null)) as Present<Row>;
}

export function runOf(row: typeof runs.$inferSelect): Run {
  const { id, name, pipelineFile, pipeline, seed, outputDir, state, shots, createdAt, finishedAt } = row;
  const run = { id, name, pipelineFile, pipeline, seed, outputDir, state, shots, createdAt };
  return finishedAt === null ? run : { ...run, finishedAt };
}
