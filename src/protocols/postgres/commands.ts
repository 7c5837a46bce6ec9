/**
 * From messages to commands: what the client is about to do, in the words that policy, reviewers
 * and the recording share.
 */
import type { BoundValue, Command } from '#core/command.ts';
import { noFacts } from '#core/facts.ts';
import type { AllowedCommand } from '#core/permit.ts';
import type { Stages } from '#core/protocol.ts';
import type { BindMessage } from './codec/read.ts';
import { type Described, running, type Running } from './relay-expected.ts';
import type { Analysed } from './relay-judge.ts';
import type { Returned } from './relay-meter.ts';
import type { SessionChange, SqlStatement } from './sql/types.ts';

/** A prepared statement, by Parse or by SQL's PREPARE. */
export interface Prepared extends Described {
  readonly name: string;
  /** What EXECUTE or a Bind runs. */
  readonly text: string;
  /** What the server holds as its source: the text of the Parse, or of the query with PREPARE. */
  readonly source: string;
  /** Parameter types: as declared, then as the server chose them. */
  types: readonly number[];
  /** As the client declared them. */
  readonly declared: readonly number[];
  analysed: Analysed;
  /** Segment in which the client last asked for its columns. */
  describedIn: number;
}

/** A portal, by Bind or by SQL's DECLARE. */
export interface Portal {
  readonly name: string;
  readonly running: Running;
  /** Source text as the server holds it. */
  readonly source: string;
  readonly prepared: Prepared | undefined;
  /** Undefined when it was opened by SQL, or its values were too large to keep. */
  readonly parameters: readonly BoundValue[] | undefined;
  /** What its pieces have returned so far. */
  readonly returned: Returned;
  /** The Bind that made it, where it may have to be bound again. */
  readonly bindMessage: Uint8Array | undefined;
  /** What it was last judged with; undefined when it has to be judged first. */
  permit: AllowedCommand | undefined;
  readonly fromSql: boolean;
  /** `Stages.epoch` under which it was last judged; -1 when it has to be judged first. */
  epoch: number;
  describedIn: number;
}

/** The statement that a text of no statement stands for: white space and comments do nothing. */
export const nothing: SqlStatement = {
  text: '',
  facts: noFacts,
  output: [],
  changes: [],
  copy: undefined,
  messagesMayLeak: false,
};

/** A statement as the gate is asked about it. */
export const command = (
  stages: Stages,
  kind: Command['kind'],
  statement: SqlStatement,
  { state, parameters }: Pick<Command, 'state' | 'parameters'>,
): Command => ({
  id: stages.commandId(),
  context: stages.context,
  kind,
  text: statement.text,
  parameters,
  state,
  facts: statement.facts,
});

/** The values of a Bind, as an approval binds to them. */
export const boundValues = (bind: BindMessage, types: readonly number[]): readonly BoundValue[] =>
  bind.parameters.map(({ format, bytes }, index) => ({
    type: String(types[index] ?? 0),
    format: format === 1 ? 'binary' : 'text',
    bytes,
  }));

/** A statement that makes a name. */
type Made = Extract<SessionChange, { readonly kind: 'prepare' | 'declare' }>;

/** What SQL's PREPARE made, once the server has confirmed it. */
export const preparedBySql = (
  { name, statement }: Made,
  item: Running,
  source: string,
): Prepared => ({
  name,
  text: statement.text,
  source,
  types: [],
  declared: statement.parameterTypes ?? [],
  // What it was found under is not kept: its first use analyses it again.
  analysed: {
    statements: [statement],
    masks: item.masks,
    settled: 1,
    under: statement,
    syntaxError: undefined,
  },
  description: undefined,
  describedIn: -1,
});

/** What SQL's DECLARE made. */
export const portalBySql = ({ name, statement }: Made, item: Running, source: string): Portal => ({
  name,
  source,
  running: running(statement, { masks: item.masks }),
  prepared: undefined,
  parameters: undefined,
  returned: { rows: 0, bytes: 0 },
  bindMessage: undefined,
  permit: undefined,
  fromSql: true,
  epoch: -1,
  describedIn: -1,
});

/** Canonical text of the state that gives a command its meaning; see {@link Command.state}. */
export const stateText = (searchPath: readonly string[], role: string): string =>
  `search_path=${searchPath.map(quoted).join(',')};role=${quoted(role)}`;

/** For what follows a change that was not read back. */
export const unknownStateText: string = 'unknown';

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;
