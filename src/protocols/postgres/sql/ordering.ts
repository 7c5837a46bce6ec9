/** What comparing, sorting and hashing values may run: the code of a database's operator classes. */
import { callAny } from './calls.ts';
import type { Oid } from './catalogue.ts';
import { isSafe, unsafeOrdering } from './traits.ts';
import { clean } from './values.ts';
import type { Walk } from './walk.ts';

/** Notes it. Values are not followed into a comparison: it gives no more than an order. */
export function checkOrdering(walk: Walk, type: Oid): void {
  const { orderedTypes } = walk.env;
  if (orderedTypes.has(type)) return;
  orderedTypes.add(type);
  for (const info of unsafeOrdering(walk.env.catalogue, type)) {
    callAny(
      walk,
      [info],
      info.argTypes.map((one) => clean(one)),
    );
  }
}

/** The same for an operator class by name, as a partition key has it. */
export function namedOrdering(walk: Walk, names: readonly string[]): void {
  const { catalogue } = walk.env;
  const [name = '', schema] = names.toReversed();
  for (const one of catalogue.operatorClasses) {
    if (one.name !== name || (schema !== undefined && one.schema !== schema)) continue;
    for (const oid of one.functionOids) {
      const info = catalogue.functionByOid(oid);
      if (info === undefined || isSafe(info)) continue;
      const args = info.argTypes.map((type) => clean(type));
      callAny(walk, [info], args);
    }
  }
}
