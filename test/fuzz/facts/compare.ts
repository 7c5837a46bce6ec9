/** Whether facts that claim to be complete cover what a statement was seen to change. */
import type { Effect, Facts } from '#core/facts.ts';
import type { Changes, ObjectChange, RowChange } from './witness.ts';

/** Effects under which nothing that lasts may change. */
const harmless: ReadonlySet<Effect> = new Set([
  'read',
  'session',
  'transaction',
  'lock',
  'listen',
  'notify',
  'copy-out',
]);

/** Effects that change the schema, or what rights there are. */
const schematic: readonly Effect[] = ['create', 'alter', 'drop', 'grant', 'admin'];
const updates: readonly Effect[] = ['update', 'update-all'];
const deletes: readonly Effect[] = ['delete', 'delete-all', 'truncate'];

/** Everything that was changed and that the facts do not tell; empty when they tell all. */
export function missesOf(facts: Facts, changes: Changes): readonly string[] {
  return [
    ...changes.rows.flatMap((change) => rowMisses(facts, change)),
    ...changes.objects.flatMap((change) => objectMisses(facts, change)),
    ...quietMisses(facts, changes),
  ];
}

const has = ({ effects }: Facts, ...wanted: readonly Effect[]): boolean =>
  effects.some((effect) => wanted.includes(effect));

function rowMisses(facts: Facts, change: RowChange): readonly string[] {
  const { table, inserted, updated, deleted } = change;
  if (table.startsWith('pg_catalog.')) {
    // Large objects are rows of the catalogue; so is where an emptied table begins anew.
    const anew = has(facts, 'truncate') || facts.verbs.includes('REFRESH MATERIALIZED VIEW');
    return anew || emptiesSession(facts) || has(facts, ...schematic) ? [] : [`rows of ${table}`];
  }
  const misses: string[] = [];
  if (!names(facts, table)) misses.push(`the table ${table}`);
  // An update can move a row to another partition; a change of the schema can write a table anew.
  const moves = [...updates, ...schematic];
  if (inserted > 0 && !has(facts, 'insert', 'copy-in', ...moves))
    misses.push(`inserts in ${table}`);
  if (updated > 0 && !has(facts, ...moves)) misses.push(`updates of ${table}`);
  if (deleted > 0 && !has(facts, ...deletes, ...moves)) misses.push(`deletes from ${table}`);
  return misses;
}

function objectMisses(facts: Facts, change: ObjectChange): readonly string[] {
  const { how, kind, name, owner } = change;
  const told = `${kind} ${name} ${how}`;
  if (how === 'dropped' && emptiesSession(facts) && plain(name).startsWith('pg_temp.')) return [];
  const wanted: readonly Effect[] =
    how === 'dropped' ? ['drop', 'alter'] : how === 'created' ? ['create', 'alter'] : schematic;
  const anew: readonly Effect[] = how === 'altered' ? ['truncate', 'update'] : [];
  if (!has(facts, ...wanted, ...anew)) return [told];
  return names(facts, name) || (owner !== '' && names(facts, owner)) ? [] : [`${told}, by name`];
}

/** What changes without a row that counts it. */
function quietMisses(facts: Facts, changes: Changes): readonly string[] {
  const isHarmless = facts.effects.every((effect) => harmless.has(effect));
  // Another role sees other sequences.
  const misses = (has(facts, 'grant') ? [] : changes.sequences)
    .filter(({ name, owner }) => isHarmless || !(names(facts, name) || names(facts, owner)))
    .map(({ name }) => `the sequence ${name}`);
  const reads = facts.effects.every((effect) => effect === 'read');
  return changes.settings && reads ? [...misses, 'a setting'] : misses;
}

/** Whether an object is named as one that more is done to than to read it. */
function names({ objects }: Facts, name: string): boolean {
  return objects.some((each) => {
    if (each.access === 'read' || each.access === 'execute') return false;
    return plain(each.name) === plain(name);
  });
}

/** DISCARD: everything in the session's own schema goes. */
const emptiesSession = ({ objects }: Facts): boolean =>
  objects.some(
    ({ kind, name, access }) => access === 'drop' && kind === 'schema' && name === 'pg_temp',
  );

/** The session's own schema has a number that is known only once it is there. */
const plain = (name: string): string => name.replace(/^pg_temp_[0-9]+[.]/, 'pg_temp.');
