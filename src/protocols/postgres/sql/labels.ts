/**
 * Which masks lie on the columns of a relation. A mask follows the data: from a table to its
 * partitions and heirs and back, along foreign keys (which hold the same values), into generated
 * columns, views and materialised views.
 */
import { type Catalogue, firstUserOid, type Oid, type Relation } from './catalogue.ts';
import { Collector } from './collector.ts';
import { emptyScope, type Scope } from './scope.ts';
import { dataColumns } from './system-data.ts';
import { walkText } from './texts.ts';
import { type Column, clean, retyped, unknownValue, type Value, withTaint } from './values.ts';
import { expanded, expansionMax, type Walk } from './walk.ts';

/** Heirs, parents and references that are followed. */
const relativesMax = 20_000;

/** A walk of its own, for what a value is made of rather than what the statement does. */
export function aside(walk: Walk): Walk {
  return {
    ...walk,
    facts: new Collector(),
    livePath: walk.env.state.searchPath,
    env: { ...walk.env, checkedTypes: new Set(), orderedTypes: new Set() },
  };
}

/** The columns of a relation that is no view, with what may be in them. */
export function tableColumns(walk: Walk, relation: Relation): readonly Column[] {
  const { labels, pending } = walk.env;
  const known = labels.get(relation.oid);
  if (known !== undefined) return known;
  const columns = computeColumns(walk, relation);
  // While a text is missing that it was computed from, it is not what it will be.
  if (pending.size === 0) labels.set(relation.oid, columns);
  return columns;
}

function computeColumns(walk: Walk, relation: Relation): readonly Column[] {
  const hidden = dataColumns(relation);
  const plain = relation.columns.map((column): Column => {
    const value = labelled(walk, relation, column.name, column.typeOid);
    const known = hidden !== 'all' && !hidden.has(column.name);
    return { name: column.name, value: known ? value : { ...value, unknown: true } };
  });
  if (relation.kind === 'matview') return storedView(walk, relation, plain);
  if (!relation.columns.some((column) => column.generated !== undefined)) return plain;
  const scope: Scope = {
    ...emptyScope,
    sources: { items: [], visible: plain, open: false },
  };
  return plain.map((column, at) => {
    const text = relation.columns[at]?.generated;
    if (text === undefined) return column;
    const made = walkText(aside(walk), text, scope);
    return { name: column.name, value: withTaint(column.value, [made]) };
  });
}

/** What a materialised view holds is what its query gave. */
function storedView(walk: Walk, relation: Relation, plain: readonly Column[]): readonly Column[] {
  const made = viewResult(aside(walk), relation);
  if (made?.length !== plain.length) {
    return plain.map(({ name, value }) => ({ name, value: { ...value, unknown: true } }));
  }
  return plain.map(({ name, value }, at) => ({
    name,
    value: overlaid(value, made[at]?.value ?? unknownValue),
  }));
}

/** The columns of a view, by walking its query: what it does goes into the facts. */
export function viewColumns(walk: Walk, relation: Relation): readonly Column[] | undefined {
  const made = viewResult(walk, relation);
  if (made?.length !== relation.columns.length) return undefined;
  return relation.columns.map(({ name, typeOid }, at) => ({
    name,
    value: overlaid(labelled(walk, relation, name, typeOid), made[at]?.value ?? unknownValue),
  }));
}

/** A value that also carries the label of the column that it became. */
function overlaid(label: Value, value: Value): Value {
  const typed = retyped(value, label.type);
  if (label.sources.length === 0) return typed;
  const both = withTaint(typed, [label]);
  return { ...both, direct: label.direct ?? both.direct };
}

function viewResult(walk: Walk, relation: Relation): readonly Column[] | undefined {
  if (relation.viewDefinition === undefined || walk.expansion >= expansionMax) return undefined;
  const query = walk.env.auxiliary(relation.viewDefinition)?.[0];
  if (query === undefined || !('SelectStmt' in query)) return undefined;
  const inner = expanded(walk);
  // A temporary view may name relations of its own schema without saying so.
  const temporary = relation.schema.startsWith('pg_temp');
  const path = temporary ? [relation.schema, ...inner.path] : inner.path;
  return inner.entries.query({ ...inner, path }, query.SelectStmt, emptyScope);
}

/** A column's own masks and those of its relatives, as a value. */
function labelled(walk: Walk, relation: Relation, name: string, type: Oid): Value {
  if (walk.env.masks.empty) return clean(type);
  const found = new Set<string>();
  const own = collectMasks(walk, relation, name, found);
  collectReferenced(walk, relation, name, { found, seen: new Set() });
  if (found.size === 0) return clean(type);
  const sources = [...found].sort();
  const direct = own ?? (sources.length === 1 ? sources[0] : undefined);
  return { type, sources, direct, unknown: false, fields: undefined };
}

function collectMasks(
  walk: Walk,
  relation: Relation,
  name: string,
  found: Set<string>,
): string | undefined {
  const { catalogue, masks } = walk.env;
  let own: string | undefined;
  for (const one of relativesOf(catalogue, relation)) {
    if (masks.column(one.schema, one.name, name) === undefined) continue;
    const label = `${one.schema}.${one.name}.${name}`;
    if (one === relation) own = label;
    found.add(label);
  }
  return own;
}

/** The relation, its parents and its heirs, through all generations. */
export function relativesOf(catalogue: Catalogue, relation: Relation): readonly Relation[] {
  if (relation.parentOids.length === 0 && relation.childOids.length === 0) return [relation];
  const parents = reachedFrom(catalogue, relation, 'parentOids');
  const heirs = heirsOf(catalogue, relation).filter((heir) => !parents.includes(heir));
  return [relation, ...parents, ...heirs];
}

/** The heirs and partitions of a relation, through all generations. */
export const heirsOf = (catalogue: Catalogue, relation: Relation): readonly Relation[] =>
  reachedFrom(catalogue, relation, 'childOids');

function reachedFrom(
  catalogue: Catalogue,
  relation: Relation,
  direction: 'parentOids' | 'childOids',
): readonly Relation[] {
  const seen = new Map<Oid, Relation>();
  const waiting = [...relation[direction]];
  for (let oid = waiting.pop(); oid !== undefined; oid = waiting.pop()) {
    const one = catalogue.relationByOid(oid);
    if (one === undefined || oid === relation.oid || seen.has(oid) || seen.size > relativesMax) {
      continue;
    }
    seen.set(oid, one);
    waiting.push(...one[direction]);
  }
  return [...seen.values()];
}

/** A foreign key holds values of the column that it references. */
function collectReferenced(
  walk: Walk,
  relation: Relation,
  name: string,
  { found, seen }: { readonly found: Set<string>; readonly seen: Set<string> },
): void {
  const at = relation.columns.find((column) => column.name === name)?.attnum ?? 0;
  for (const key of relation.foreignKeys) {
    const position = key.fromColumns.indexOf(at);
    const target = walk.env.catalogue.relationByOid(key.toOid);
    const wanted = key.toColumns[position];
    if (position < 0 || target === undefined) continue;
    const column = target.columns.find((one) => one.attnum === wanted);
    const mark = `${key.toOid}.${wanted}`;
    if (column === undefined || seen.has(mark)) continue;
    seen.add(mark);
    collectMasks(walk, target, column.name, found);
    collectReferenced(walk, target, column.name, { found, seen });
  }
}

/** Whether the relation came with the server. */
export function isSystem(relation: Relation): boolean {
  return relation.oid < firstUserOid;
}
