/** What the makers of single objects may ask of a snapshot. */
import type { Oid } from './catalogue.ts';
import type { Row } from './catalogue-rows.ts';
import type { SectionName } from './catalogue-sections.ts';

/** What makes one object out of rows of several sections needs of the snapshot. */
export interface Source {
  readonly serverVersion: number;
  /** Rows by their first column. */
  keyed(section: SectionName, key: Oid): readonly Row[];
  /** Rows by their second column. */
  named(section: SectionName, name: string): readonly Row[];
  schemaName(oid: Oid): string;
  roleName(oid: Oid): string;
  languageName(oid: Oid): string;
  /** The extension that an object belongs to; `catalog` is the oid of the catalogue it is in. */
  extensionOf(catalog: Oid, oid: Oid): string | undefined;
}

/** Oids of catalogues, as `pg_depend` names them. Fixed for all versions. */
export const typeCatalog: Oid = 1247;
export const functionCatalog: Oid = 1255;
export const relationCatalog: Oid = 1259;
