/** Makes a relation of the rows that speak of it. */
import type {
  ColumnInfo,
  ForeignKeyInfo,
  IndexInfo,
  Oid,
  ReferentialAction,
  Relation,
  RelationKind,
  RuleInfo,
  TriggerInfo,
  WriteEvent,
} from './catalogue.ts';
import { firstUserOid } from './catalogue.ts';
import { flag, maybe, number, numbers, type Row, text } from './catalogue-rows.ts';
import { relationCatalog, type Source } from './catalogue-source.ts';
import { holdsData } from './catalogue-data.ts';

const kinds: ReadonlyMap<string, RelationKind> = new Map([
  ['r', 'table'],
  ['v', 'view'],
  ['m', 'matview'],
  ['p', 'partitioned'],
  ['f', 'foreign'],
  ['S', 'sequence'],
  ['i', 'index'],
  ['I', 'index'],
  ['c', 'composite'],
  ['t', 'toast'],
]);

/** The relation of that oid. A kind that a later server may bring is as good as unknown. */
export function readRelation(source: Source, oid: Oid): Relation | undefined {
  const row = source.keyed('relations', oid)[0];
  const kind = row === undefined ? undefined : kinds.get(text(row, 3));
  if (row === undefined || kind === undefined) return undefined;
  const schema = source.schemaName(number(row, 2));
  const name = text(row, 1);
  const extension = source.extensionOf(relationCatalog, oid);
  const rules = source.keyed('rules', oid);
  const view = rules.find((rule) => text(rule, 2) === '1');
  const server = maybe(row, 9);
  return {
    oid,
    schema,
    name,
    kind,
    columns: readColumns(source, oid),
    rowTypeOid: number(row, 4),
    viewDefinition: view === undefined ? undefined : maybe(view, 4),
    owner: source.roleName(number(row, 5)),
    securityInvoker: isOn(maybe(row, 8)),
    rules: rules.filter((rule) => text(rule, 2) !== '1').map(readRule),
    triggers: source.keyed('triggers', oid).map(readTrigger),
    parentOids: source.keyed('inherits', oid).map((link) => number(link, 1)),
    childOids: source.named('inherits', String(oid)).map((link) => number(link, 0)),
    foreignKeys: source.keyed('foreignKeys', oid).map(readForeignKey),
    referencedBy: source.named('foreignKeys', String(oid)).map(readForeignKey),
    rowSecurity: flag(row, 6),
    forceRowSecurity: flag(row, 7),
    policies: source.keyed('policies', oid).map((policy) => ({
      name: text(policy, 1),
      using: maybe(policy, 2),
      check: maybe(policy, 3),
    })),
    checkConstraints: source.keyed('checks', oid).map((check) => maybe(check, 2) ?? ''),
    indexes: source.keyed('indexes', oid).map(readIndex),
    partitionKey: source.keyed('partitionKeys', oid).map((key) => maybe(key, 2))[0],
    foreign: server === undefined ? undefined : { server, wrapper: maybe(row, 10) ?? '' },
    extension,
    catalogData: holdsData({ builtIn: oid < firstUserOid, schema, name, kind, extension }),
  };
}

/** A boolean option as `CREATE VIEW … WITH` takes it, which is any prefix of these words. */
function isOn(option: string | undefined): boolean {
  const value = option?.toLowerCase();
  return (
    value === '1' || value === 'on' || (!!value && ['true', 'yes'].some((w) => w.startsWith(value)))
  );
}

function readColumns(source: Source, oid: Oid): readonly ColumnInfo[] {
  const texts = new Map(
    source.keyed('columnTexts', oid).map((row) => [number(row, 1), maybe(row, 2) ?? '']),
  );
  return source.keyed('columns', oid).map((row) => {
    const attnum = number(row, 2);
    const expression = texts.get(attnum);
    const generated = text(row, 6) !== '';
    return {
      name: text(row, 1),
      attnum,
      typeOid: number(row, 3),
      typmod: number(row, 4),
      notNull: flag(row, 5),
      generated: generated ? (expression ?? '') : undefined,
      isVirtual: text(row, 6) === 'v',
      default: generated ? undefined : expression,
      identity: text(row, 7) !== '',
    };
  });
}

const ruleEvents: ReadonlyMap<string, WriteEvent> = new Map([
  ['2', 'update'],
  ['3', 'insert'],
  ['4', 'delete'],
]);

function readRule(row: Row): RuleInfo {
  return {
    name: text(row, 1),
    // An event that nobody knows is taken for the worst there is.
    event: ruleEvents.get(text(row, 2)) ?? 'truncate',
    instead: flag(row, 3),
    definition: maybe(row, 4) ?? '',
  };
}

const triggerEvents: readonly (readonly [number, WriteEvent])[] = [
  [4, 'insert'],
  [8, 'delete'],
  [16, 'update'],
  [32, 'truncate'],
];

function readTrigger(row: Row): TriggerInfo {
  const bits = number(row, 3);
  return {
    name: text(row, 1),
    functionOid: number(row, 2),
    events: triggerEvents.filter(([bit]) => (bits & bit) !== 0).map(([, event]) => event),
    internal: flag(row, 4),
    enabled: text(row, 5) !== 'D',
    definition: maybe(row, 6) ?? '',
  };
}

const actions: ReadonlyMap<string, ReferentialAction> = new Map([
  ['a', 'none'],
  ['r', 'restrict'],
  ['c', 'cascade'],
  ['n', 'set-null'],
  ['d', 'set-default'],
]);

function readForeignKey(row: Row): ForeignKeyInfo {
  return {
    fromOid: number(row, 0),
    toOid: number(row, 1),
    name: text(row, 2),
    fromColumns: numbers(row, 3),
    toColumns: numbers(row, 4),
    // The same for actions: `cascade` reaches furthest.
    onDelete: actions.get(text(row, 5)) ?? 'cascade',
    onUpdate: actions.get(text(row, 6)) ?? 'cascade',
  };
}

function readIndex(row: Row): IndexInfo {
  return {
    oid: number(row, 1),
    unique: flag(row, 2),
    columns: numbers(row, 3),
    expressions: maybe(row, 4),
    predicate: maybe(row, 5),
  };
}
