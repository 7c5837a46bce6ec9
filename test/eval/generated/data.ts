/**
 * Labelled data made from a seed: values, formats, templates and near misses that nobody tuned the
 * detectors on. Made when it is scored, so that no scanner finds a made-up secret in a file.
 */
import { accounts } from './accounts.ts';
import { Dice } from '../../fuzz/dice.ts';
import { columnName, neutralColumn } from './columns.ts';
import { identifiers } from './identifiers.ts';
import { nearMisses } from './near-misses.ts';
import { personal } from './persons.ts';
import { harmless, type LabelledSecret, secrets } from './secrets.ts';
import { type LabelledText, texts } from './texts.ts';

/** A database cell; `entity` is null where there is nothing to find. */
export interface LabelledCell {
  readonly value: string;
  readonly column: string;
  readonly entity: string | null;
  readonly kind: string;
  /** Clear without a name. */
  readonly isClear: boolean;
}

/** All that is scored. */
export interface GeneratedData {
  readonly cells: readonly LabelledCell[];
  readonly texts: readonly LabelledText[];
  readonly secrets: readonly LabelledSecret[];
}

/** As many rounds of every kind as asked for. */
export function generate(seed: number, rounds: number): GeneratedData {
  const dice = Dice.seeded(seed);
  const cells: LabelledCell[] = [];
  const found: { texts: LabelledText[]; secrets: LabelledSecret[] } = { texts: [], secrets: [] };
  for (let round = 0; round < rounds; round += 1) {
    for (const { entity, make, columns, isClear = false } of [
      ...identifiers,
      ...personal,
      ...accounts,
    ]) {
      const cell = { entity, kind: entity, isClear: false };
      cells.push({ ...cell, value: make(dice), column: columnName(dice, columns) });
      if (isClear) {
        cells.push({ ...cell, value: make(dice), column: neutralColumn(dice), isClear });
      }
    }
    for (const { kind, make, columns } of nearMisses) {
      const column = columnName(dice, columns);
      cells.push({ value: make(dice), column, entity: null, kind, isClear: false });
    }
    found.texts.push(...texts(dice));
    found.secrets.push(...secrets(dice), ...harmless(dice));
    // A seeded run is not shrunk, so what was chosen need not be kept.
    dice.choices.length = 0;
  }
  return { cells, ...found };
}
