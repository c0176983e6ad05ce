/** What happens while a model is pulled or converted. Rendered by the command line. */
export type ModelEvent =
  /** The Hub named the revision; these bytes are still to be fetched. */
  | { kind: 'resolved'; revision: string; files: string[]; bytes: number }
  /** `received` and `bytes`: of this file. */
  | { kind: 'downloading'; file: string; received: number; bytes: number }
  | { kind: 'downloaded'; file: string; bytes: number }
  /** The Hub failed, and is asked again. */
  | { kind: 'retrying'; what: string; reason: string; seconds: number }
  | { kind: 'converting'; dtype: string; file: string }
  | { kind: 'converted'; dtype: string; file: string; bytes: number };

export type OnEvent = (event: ModelEvent) => void;
