/** A snapshot of one database's catalogue. Immutable. */
export interface Catalogue {
  /** Changes with every snapshot; part of every cache key. */
  readonly version: string;
}
