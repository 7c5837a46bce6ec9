/**
 * Everything that a condition can ask about, in one table: names, types, permitted values and what
 * they mean. The checker refuses what is not here, the bindings must provide all that is here (a
 * test compares), and `docs/reference/policy.md` is generated from it.
 */
import type { Access, Analysis, ColumnUse, Effect } from '#core/facts.ts';
import type { Role } from '#core/identity.ts';
import type { ProtocolName } from '#core/target.ts';

/** The type of a value in a condition, as far as it is known before the condition runs. */
export type InputType =
  | {
      readonly kind: 'string';
      /** The only values it can have; any other word in a comparison is a mistake. */
      readonly values?: readonly string[];
      /** Set for a literal of the condition itself: `values` are the words written there. */
      readonly literal?: true;
    }
  | { readonly kind: 'int' | 'double' | 'bool' | 'timestamp' | 'duration' | 'null' | 'dyn' }
  | { readonly kind: 'list'; readonly of: InputType }
  /** Any key; a missing one is an error when the condition runs, so ask with `has()` first. */
  | { readonly kind: 'map'; readonly of: InputType }
  | { readonly kind: 'object'; readonly fields: Fields };

/** One named input. */
export interface Input {
  readonly type: InputType;
  /** One line for the reference page. */
  readonly doc: string;
}

/** Fields by name; a Map, so that no name can reach an object's prototype. */
export type Fields = ReadonlyMap<string, Input>;

const text: InputType = { kind: 'string' };
const int: InputType = { kind: 'int' };
const bool: InputType = { kind: 'bool' };

/** A list type. */
export const listOf = (of: InputType): InputType => ({ kind: 'list', of });
/** A string that can have only these values. */
export const oneOf = (values: readonly string[]): InputType => ({ kind: 'string', values });

const object = (fields: Readonly<Record<string, readonly [InputType, string]>>): InputType => ({
  kind: 'object',
  fields: new Map(Object.entries(fields).map(([name, [type, doc]]) => [name, { type, doc }])),
});

/** Every effect with its meaning. A `Record`, so that the compiler notices a missing one. */
export const effects: Readonly<Record<Effect, string>> = {
  read: 'returns data',
  insert: 'adds rows',
  update: 'changes rows under a condition',
  'update-all': 'changes every row, by no condition or one that is always true',
  delete: 'removes rows under a condition',
  'delete-all': 'removes every row, by no condition or one that is always true',
  truncate: 'empties a table',
  drop: 'removes an object and what it holds',
  alter: 'changes a definition',
  create: 'makes an object',
  grant: 'changes rights, roles or ownership',
  'execute-code': 'runs code that the analyser does not see through',
  'file-read': 'reads files on the server',
  'file-write': 'writes files on the server',
  network: 'opens connections from the server',
  session: 'changes only how this session behaves, in a way known to be harmless',
  transaction: 'begins or ends a transaction',
  lock: 'takes a lock, or waits, in a way that can hold others up',
  listen: 'waits for notifications',
  notify: 'sends notifications',
  'copy-out': 'leaves the target as a bulk copy',
  'copy-in': 'enters the target as a bulk copy',
  admin: 'server settings, processes, replication, maintenance',
  privilege: 'runs something as another user of the host',
  service: 'starts, stops or changes services',
  package: 'installs, changes or removes packages',
  'container-start': 'starts a container',
  process: 'signals, traces or re-prioritises processes',
  shutdown: 'stops or restarts the host',
  unknown: 'something that the analyser cannot vouch for',
};

const accesses: Readonly<Record<Access, true>> = {
  read: true,
  write: true,
  create: true,
  alter: true,
  drop: true,
  execute: true,
};

/** Every use of a column with its meaning. */
export const columnUses: Readonly<Record<ColumnUse, string>> = {
  return: 'comes back in the result (masked, if it has a mask)',
  filter: 'decides which rows count, or is compared with something',
  order: 'decides their order',
  group: 'decides how they are grouped or told apart',
  copy: 'goes where it can be read later: a table, a setting, a message',
  write: 'is written',
  compute: 'goes into an expression, which may fail and then tell what it was given',
};

const analyses: Readonly<Record<Analysis, true>> = { complete: true, partial: true, opaque: true };

const roleSet: Readonly<Record<Role, true>> = {
  admin: true,
  reviewer: true,
  auditor: true,
  member: true,
};

const protocolSet: Readonly<Record<ProtocolName, true>> = {
  postgres: true,
  mysql: true,
  ssh: true,
  kubernetes: true,
  http: true,
  echo: true,
};

const isKeyOf = <Key extends string>(
  table: Readonly<Record<Key, unknown>>,
  word: string,
): word is Key => Object.hasOwn(table, word);

/** Whether a word names an effect, and so on for the other sets; they narrow the type. */
export const isEffect = (word: string): word is Effect => isKeyOf(effects, word);
export const isAccess = (word: string): word is Access => isKeyOf(accesses, word);
export const isColumnUse = (word: string): word is ColumnUse => isKeyOf(columnUses, word);
export const isAnalysis = (word: string): word is Analysis => isKeyOf(analyses, word);
export const isRole = (word: string): word is Role => isKeyOf(roleSet, word);
export const isProtocol = (word: string): word is ProtocolName => isKeyOf(protocolSet, word);

/** The words themselves, for messages and schemas. */
export const effectNames: readonly string[] = Object.keys(effects);
export const accessNames: readonly string[] = Object.keys(accesses);
export const columnUseNames: readonly string[] = Object.keys(columnUses);
export const analysisNames: readonly string[] = Object.keys(analyses);
export const roleNames: readonly string[] = Object.keys(roleSet);
export const protocolNames: readonly string[] = Object.keys(protocolSet).filter(
  // Tests speak it; a policy has no use for it.
  (name) => name !== 'echo',
);
/** Days of the week as `time.weekday` names them, from the first of January 1970 backwards. */
export const weekdayNames: readonly string[] = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

const objectFact = object({
  kind: [
    text,
    '`table`, `view`, `function`, `role`, `file`, `path`, `host`, `image` …, lower case',
  ],
  name: [text, 'fully qualified, for example `public.customers`'],
  access: [oneOf(accessNames), 'what is done to it'],
});

const novelty = object({
  kind: [text, '`fingerprint` (a shape of command), `function`, or the kind of an object'],
  name: [text, 'the fingerprint, or the fully qualified name'],
  access: [text, 'what is done to an object, `execute` for a function, else empty'],
});

/** The facts that are not the command's alone: they come from what its identity did before. */
export const historyInputs: readonly string[] = [
  'facts.novel',
  'facts.novelties',
  'facts.doneSince',
];

const columnFact = object({
  name: [text, '`schema.table.column`'],
  use: [oneOf(columnUseNames), 'how the command uses it'],
  masked: [bool, 'whether a mask of this policy covers it for this identity'],
});

const fieldFact = object({
  name: [text, 'where it stands and its name: `query.page`, `body.customer.name`'],
  value: [text, 'its text; empty for an object or a list'],
});

/** The inputs of every condition, by name. */
export const inputs: Fields = new Map<string, Input>([
  [
    'facts',
    {
      doc: 'what the analyser found out about the command',
      type: object({
        effects: [listOf(oneOf(effectNames)), 'what the command may do'],
        objects: [listOf(objectFact), 'what it touches'],
        columns: [listOf(columnFact), 'columns that it reads, filters by, copies or writes'],
        functions: [listOf(text), 'functions that run, fully qualified'],
        fields: [listOf(fieldFact), 'named values that it carries: parameters, fields of a body'],
        verbs: [listOf(text), 'statement verbs in upper case, methods, program names'],
        analysis: [oneOf(analysisNames), 'whether the facts cover everything that it can do'],
        reasons: [listOf(text), 'why the analysis is not complete'],
        rowsChangedMax: [
          int,
          'the most rows that it can change or remove, by keys and limits; -1 when nothing bounds them',
        ],
        fingerprint: [text, 'the same for commands of one shape, whatever their literals'],
        novel: [
          bool,
          'whether this identity never did some of it on this target before; true for what is not ' +
            'fully understood, or runs code that is not seen through',
        ],
        novelties: [listOf(novelty), 'what of it is new'],
        doneSince: [
          { kind: 'timestamp' },
          'when it had done all of it for the first time; in the year 9999 if some of it is new',
        ],
      }),
    },
  ],
  [
    'command',
    {
      doc: 'the command as the target would get it; prefer `facts`: text can be spelled freely',
      type: object({
        text: [text, 'its text'],
        kind: [oneOf(['execute', 'prepare']), 'whether it runs or is only prepared'],
        parameterCount: [int, 'bound parameters'],
      }),
    },
  ],
  [
    'identity',
    {
      doc: 'who acts, from a verified credential; what is not set is an empty string',
      type: object({
        id: [text, '`<issuer>/<subject>`'],
        kind: [oneOf(['workload', 'human']), 'a program or a person'],
        issuer: [text, 'name of the issuer in the configuration'],
        subject: [text, "the issuer's immutable name for it"],
        groups: [listOf(text), 'group names'],
        roles: [listOf(oneOf(roleNames)), 'roles in the gateway'],
        owner: [text, 'who answers for a workload'],
        onBehalfOf: [text, 'identity of the person that it acts for'],
        claims: [{ kind: 'map', of: text }, 'mapped claims, for example `repository_id`'],
      }),
    },
  ],
  [
    'target',
    {
      doc: 'where the command goes',
      type: object({
        name: [text, 'its name'],
        labels: [{ kind: 'map', of: text }, 'its labels, for example `env`'],
        protocol: [oneOf(protocolNames), 'the protocol that it speaks'],
      }),
    },
  ],
  ['account', { type: text, doc: 'name of the account at the target' }],
  [
    'session',
    {
      doc: 'the connection',
      type: object({
        id: [text, 'its id'],
        // Not at the top: `namespace` alone is a reserved word of CEL.
        namespace: [text, 'database, cluster or virtual host that names are relative to'],
        purpose: [text, 'what the grant says that it is for; empty when it says nothing'],
      }),
    },
  ],
  [
    'time',
    {
      doc: 'when the command is judged, in UTC',
      type: object({
        hour: [int, '0 to 23'],
        weekday: [oneOf(weekdayNames), 'day of the week'],
        now: [
          { kind: 'timestamp' },
          "for limits in time: `time.now < timestamp('2027-01-01T00:00:00Z')`",
        ],
      }),
    },
  ],
]);
