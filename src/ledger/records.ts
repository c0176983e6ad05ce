/** What the database gives for a record: a value that the record leaves out is null. */
export type Row<Of> = {
  [Key in keyof Of]-?: object extends Pick<Of, Key> ? Exclude<Of[Key], undefined> | null : Of[Key];
};

/** `row` without the columns that are null: in records what is not known is absent. */
export function present<Of extends object>(row: Row<Of>): Of {
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null)) as Of;
}
