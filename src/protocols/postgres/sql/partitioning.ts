/** Partition keys: rows find their partition, and queries leave partitions out, by running them. */
import type { Node } from 'libpg-query';
import { namedOrdering } from './ordering.ts';
import type { Scope } from './scope.ts';
import { namesOf } from './tree.ts';
import { expanded, type Walk } from './walk.ts';

/**
 * Notes what a key such as `RANGE (lower(name) text_ops)` may run: its expressions, and the code of
 * operator classes that it names.
 *
 * @param definition - as `pg_get_partkeydef` writes it.
 */
export function checkPartitionKey(walk: Walk, definition: string, scope: Scope): void {
  const tree = walk.env.auxiliary(`CREATE TABLE p (x int) PARTITION BY ${definition}`);
  if (tree === undefined) return;
  const only: Node | undefined = tree?.[0];
  if (only === undefined || !('CreateStmt' in only)) {
    walk.facts.partial('a partition key was not understood');
    return;
  }
  const inner = expanded(walk);
  for (const part of only.CreateStmt.partspec?.partParams ?? []) {
    if (!('PartitionElem' in part)) continue;
    const { expr, opclass } = part.PartitionElem;
    if (expr !== undefined) inner.entries.expression(inner, expr, scope);
    if (opclass !== undefined) namedOrdering(walk, namesOf(opclass));
  }
}
