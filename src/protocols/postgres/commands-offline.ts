/**
 * The facts of commands outside a session, for `policy explain` and the tests of a policy: a text,
 * or the frames of one connection in their order. Nothing is sent to a server, so what only a
 * server could tell (what a setting became, what a name means after its definition changed) is not
 * known for the commands behind it, where a session would read it back.
 */
import { toGatewayError, unreachable } from '#core/errors.ts';
import { type Facts, opaqueFacts } from '#core/facts.ts';
import type { MaskSet } from '#core/masking.ts';
import type { AnalysedCommand } from '#core/protocol.ts';
import { nothing } from './commands.ts';
import type { StartState } from './learned.ts';
import { type Frame, readFrames } from './offline-frames.ts';
import { isSeenThrough } from './relay-conversation.ts';
import { changesReading } from './relay-judge.ts';
import { withDeclared } from './sql/declared.ts';
import type {
  SessionChange,
  SqlAnalyser,
  SqlAnalysis,
  SqlState,
  SqlStatement,
} from './sql/types.ts';
import { readStartupParameters } from './startup-parameters.ts';

export interface OfflineParts {
  readonly analyser: SqlAnalyser;
  /** How a session begins in that place; undefined when the place was not learned. */
  readonly state: StartState | undefined;
  readonly masks: MaskSet;
}

/** Never throws: what is not understood is an opaque command. */
export async function analyseOffline(
  parts: OfflineParts,
  input: unknown,
): Promise<readonly AnalysedCommand[]> {
  const { startup, frames } = readFrames(input);
  const connection = new OfflineConnection(parts);
  if (startup !== undefined) connection.start(startup);
  for (const frame of frames) await connection.take(frame);
  return connection.commands;
}

/** What a name of a statement or portal stands for. */
interface Named {
  readonly text: string;
  readonly statement: SqlStatement;
  /** How often meanings had changed when it was analysed. */
  readonly epoch: number;
  /** Whether its command was told already, by its Parse. */
  readonly told: boolean;
}

/** One connection, as far as its commands' meanings go. */
class OfflineConnection {
  readonly commands: AnalysedCommand[] = [];
  readonly #parts: OfflineParts;
  readonly #statements = new Map<string, Named>();
  readonly #portals = new Map<string, Named>();
  /** Rises with every command that may change what texts mean. */
  #epoch = 0;
  /** Why later texts cannot be read at all. */
  #lost: string | undefined;

  constructor(parts: OfflineParts) {
    this.#parts = parts;
    if (parts.state === undefined) this.#lost = 'the catalogue of the target is not known';
  }

  /** Start-up parameters, as the login would take them. */
  start(parameters: ReadonlyMap<string, string>): void {
    try {
      readStartupParameters(new Map([...parameters, ['user', 'offline']]));
    } catch (thrown) {
      this.#opaque('', `the login is refused: ${toGatewayError(thrown).message}`);
    }
  }

  async take(frame: Frame): Promise<void> {
    switch (frame.kind) {
      case 'query':
        await this.#run(frame.text);
        this.#statements.delete('');
        this.#portals.delete('');
        return;
      case 'parse':
        await this.#parse(frame);
        return;
      case 'bind': {
        const named = this.#statements.get(frame.statement);
        if (named === undefined) this.#portals.delete(frame.portal);
        else this.#portals.set(frame.portal, named);
        return;
      }
      case 'execute':
        await this.#execute(this.#portals.get(frame.portal));
        return;
      case 'close':
        (frame.what === 'portal' ? this.#portals : this.#statements).delete(frame.name);
        return;
      case 'nothing':
        return;
      case 'unreadable':
        this.#opaque('', frame.why);
        return;
      default:
        unreachable(frame);
    }
  }

  async #parse({ name, text, types }: Extract<Frame, { kind: 'parse' }>): Promise<void> {
    const { state } = this.#parts;
    const { statements: found } = await this.#analysed(text);
    const typed = types.length > 0 && state !== undefined;
    const statements = typed
      ? found.map((one) => withDeclared(one, types, state.catalogue))
      : found;
    for (const { text: own, facts } of statements) this.#tell(own, facts);
    const [statement = nothing] = statements;
    this.#statements.set(name, { text, statement, epoch: this.#epoch, told: true });
  }

  /** Runs what a portal holds. A Parse told it already, unless it means something else by now. */
  async #execute(portal: Named | undefined): Promise<void> {
    if (portal === undefined) this.#opaque('', 'a portal that is not known');
    else if (this.#lost !== undefined) this.#opaque(portal.text, this.#lost);
    else if (portal.told && portal.epoch === this.#epoch) this.#ran(portal.statement);
    else await this.#run(portal.text);
  }

  async #run(text: string): Promise<void> {
    const { statements, syntaxError } = await this.#analysed(text);
    for (const statement of statements) {
      this.#tell(statement.text, statement.facts);
      // What does not parse does nothing.
      if (syntaxError === undefined) this.#ran(statement);
    }
  }

  /** At least one statement; those behind one that changes meanings are read as if in the dark. */
  async #analysed(text: string): Promise<SqlAnalysis> {
    const { analyser, state, masks } = this.#parts;
    if (this.#lost !== undefined || state === undefined) return unread(text, this.#lost ?? '');
    if (text.includes('\0') || !text.isWellFormed()) {
      return unread(text, 'the text has a NUL or is not UTF-8');
    }
    try {
      const now = await analyser.analyse(text, this.#stateNow(state), masks);
      const { statements, syntaxError } = now;
      if (statements.length === 0) return { statements: [nothing], syntaxError };
      const first = statements.findIndex((each) => changesReading(each, false));
      if (first < 0 || first === statements.length - 1) return now;
      const dark = { ...state, known: false, prepared: () => undefined, cursor: () => undefined };
      const later = await analyser.analyse(text, dark, masks);
      const behind = later.statements.slice(first + 1);
      return { statements: [...statements.slice(0, first + 1), ...behind], syntaxError };
    } catch {
      return unread(text, 'the analyser failed');
    }
  }

  #stateNow(state: StartState): SqlState {
    const find = (names: ReadonlyMap<string, Named>, name: string): SqlStatement | undefined => {
      const named = names.get(name);
      return named?.epoch === this.#epoch ? named.statement : undefined;
    };
    return {
      ...state,
      known: state.known && this.#epoch === 0,
      prepared: (name) => find(this.#statements, name),
      cursor: (name) => find(this.#portals, name),
    };
  }

  /** What is different after a statement. */
  #ran(statement: SqlStatement): void {
    if (!isSeenThrough(statement)) {
      this.#lost ??= 'a command before it may have changed how texts are read';
    }
    for (const change of statement.changes) this.#change(change);
  }

  #change(change: SessionChange): void {
    switch (change.kind) {
      case 'settings':
      case 'catalogue':
        this.#epoch += 1;
        return;
      case 'prepare':
        this.#statements.set(change.name, this.#named(change.statement));
        return;
      case 'declare':
        this.#portals.set(change.name, this.#named(change.statement));
        return;
      case 'deallocate':
        if (change.name === undefined) this.#statements.clear();
        else this.#statements.delete(change.name);
        return;
      case 'close':
        if (change.name === undefined) this.#portals.clear();
        else this.#portals.delete(change.name);
        return;
      case 'transaction':
        // What its end may undo was a change before, and nothing is believed since.
        return;
      default:
        unreachable(change);
    }
  }

  #named(statement: SqlStatement): Named {
    return { text: statement.text, statement, epoch: this.#epoch, told: false };
  }

  #tell(text: string, facts: Facts): void {
    this.commands.push({ text, facts });
  }

  #opaque(text: string, why: string): void {
    this.#tell(text, opaqueFacts(why));
  }
}

/** A text that was not read. */
function unread(text: string, why: string): SqlAnalysis {
  const statement: SqlStatement = {
    text,
    facts: opaqueFacts(why),
    output: undefined,
    changes: [{ kind: 'settings' }, { kind: 'catalogue' }],
    copy: undefined,
    messagesMayLeak: true,
  };
  return { statements: [statement], syntaxError: undefined };
}
