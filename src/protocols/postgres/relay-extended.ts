/**
 * The extended protocol's messages: what they name, whether they may go on, and what the server
 * will answer. Planning can run code, so a statement is judged with its values before its Bind goes
 * on, and again at an Execute when the policy has changed or nobody bound it.
 */
import type { BoundValue } from '#core/command.ts';
import { GatewayError } from '#core/errors.ts';
import { copyOf, int32 } from './codec/frames.ts';
import {
  type BindMessage,
  type NamedMessage,
  type ParseMessage,
  readBind,
  readExecute,
  readNamed,
  readParse,
} from './codec/read.ts';
import { encodeDescribe, encodeExecute } from './codec/write.ts';
import { boundValues, nothing, type Portal, type Prepared } from './commands.ts';
import { refuse } from './refusal.ts';
import type { Bounded } from './relay-bounded.ts';
import { controlsTransaction, type Sent, type Work } from './relay-bounds.ts';
import type { Conversation } from './relay-conversation.ts';
import { descriptionOf, type Expected, running } from './relay-expected.ts';
import { type Allowed, chain, closed, type Judge, type Judged, type Soon } from './relay-judge.ts';
import type { Lookup } from './relay-names.ts';
import {
  checked,
  harmless,
  type Message,
  notText,
  type Outcome,
  permitted,
  unknownName,
} from './relay-outcome.ts';
import { needsDescription } from './results.ts';

/** Parameter values above this are not kept for a second judgement of the same portal. */
const KEPT_VALUE_BYTES_MAX = 64 * 1024;

export class Extended {
  readonly #conversation: Conversation;
  readonly #judge: Judge;
  readonly #bounded: Bounded;

  constructor(conversation: Conversation, judge: Judge, bounded: Bounded) {
    this.#conversation = conversation;
    this.#judge = judge;
    this.#bounded = bounded;
  }

  parse({ bytes, at, end }: Message): Soon<Outcome> {
    const parse = readParse(bytes, at, end);
    if (parse === undefined) return notText;
    const { statements, limits } = this.#conversation;
    if (parse.name !== '' && statements.size >= limits.preparedMax) {
      return refuse('SP_TOO_MANY', 'too many prepared statements', 'Close some.');
    }
    return chain(this.#judge.text(parse.text, 'prepare', parse.types), (judged) => {
      if (judged.refused) return judged;
      const { stages } = this.#conversation;
      return permitted(stages, judged.permits, () => this.#sendParse(parse, judged));
    });
  }

  #sendParse(parse: ParseMessage, judged: Allowed): undefined {
    const { statements, segment } = this.#conversation;
    const entry = this.#open('parse');
    const prepared: Prepared = {
      name: parse.name,
      text: parse.text,
      source: parse.text,
      types: parse.types,
      declared: parse.types,
      analysed: judged,
      description: undefined,
      describedIn: -1,
    };
    entry.settlement = statements.change(parse.name, prepared, segment);
    return undefined;
  }

  bind(message: Message): Soon<Outcome> {
    // The values are kept until the command was judged, which may be long after this read.
    const bytes = copyOf(message.bytes, message.at, message.end);
    const bind = readBind(bytes, 0, bytes.length);
    if (bind === undefined) return notText;
    return closed(() =>
      chain(this.#statement(bind.statement), (prepared) => {
        if (prepared === undefined) return unknownName('prepared statement', bind.statement);
        return chain(this.#fresh(prepared), () => {
          const values = boundValues(bind, prepared.types);
          const kept = bytes.length <= KEPT_VALUE_BYTES_MAX ? values : undefined;
          return chain(this.#judge.bound(prepared.analysed, values), (judged) =>
            this.#bound(prepared, { bind, bytes }, judged, kept),
          );
        });
      }),
    );
  }

  #bound(
    prepared: Prepared,
    { bind, bytes }: { readonly bind: BindMessage; readonly bytes: Uint8Array },
    judged: Judged,
    parameters: readonly BoundValue[] | undefined,
  ): Outcome {
    const { stages } = this.#conversation;
    const { analysed } = prepared;
    if (analysed.statements.length > 1) {
      return refuse('SP_NOT_UNDERSTOOD', 'a prepared statement of several statements');
    }
    return checked(judged, stages, (lifted) => {
      const { portals, segment } = this.#conversation;
      const entry = this.#open('bind');
      const portal: Portal = {
        name: bind.portal,
        running: running(analysed.statements[0] ?? nothing, {
          masks: analysed.masks,
          lifted: lifted[0] ?? [],
          formats: bind.resultFormats,
          prepared,
        }),
        source: prepared.source,
        prepared,
        parameters,
        returned: { rows: 0, bytes: 0 },
        bindMessage: mayRunTwice(judged) && parameters !== undefined ? bytes : undefined,
        permit: judged.refused ? undefined : judged.permits[0],
        fromSql: false,
        epoch: stages.epoch,
        describedIn: -1,
      };
      this.#conversation.bound(portal.running.statement);
      entry.settlement = portals.change(portal.name, portal, segment);
    });
  }

  execute({ bytes, at, end }: Message): Soon<Outcome> {
    const name = readExecute(bytes, at, end);
    if (name === undefined) return notText;
    const rowsMax = int32(bytes, end - 4);
    return closed(() =>
      chain(this.#portal(name), (portal) => this.#executed(name, rowsMax, portal)),
    );
  }

  #executed(name: string, rowsMax: number, portal: Portal | undefined): Soon<Outcome> {
    if (portal === undefined) return unknownName('portal', name);
    const { stages } = this.#conversation;
    if (portal.epoch === stages.epoch) return this.#limited(portal, rowsMax);
    if (portal.parameters === undefined && !portal.fromSql) {
      return refuse('SP_POLICY_DENIED', 'the policy changed since the Bind', 'Bind again.');
    }
    const { statement, masks } = portal.running;
    const analysed = {
      statements: [statement],
      masks,
      settled: 1,
      under: portal,
      syntaxError: undefined,
    };
    return chain(this.#judge.bound(analysed, portal.parameters), (judged) => {
      if (judged.refused) return judged;
      portal.epoch = stages.epoch;
      [portal.permit] = judged.permits;
      // What an approval lifted at the Bind is not lifted by the permit that counts now.
      portal.running.lifted = judged.permits[0]?.liftedMasks ?? [];
      portal.running.plan = undefined;
      return this.#limited(portal, rowsMax);
    });
  }

  /** What was judged goes on, under the limits of its permit. */
  #limited(portal: Portal, rowsMax: number): Soon<Outcome> {
    const { permit, running: item } = portal;
    if (permit === undefined) throw new GatewayError('SP_INTERNAL');
    if (this.#conversation.ownTransaction && controlsTransaction(item.statement)) {
      return refuse('SP_UNSUPPORTED', 'it ends what is still counted', 'Send a Sync first.');
    }
    const { bindMessage, returned } = portal;
    const execute = encodeExecute(portal.name, rowsMax);
    const send = (): Sent => {
      const { before, entry } = this.#run(portal);
      return { entry, messages: before === undefined ? [execute] : [before, execute] };
    };
    const again = (bind: Uint8Array): Sent => {
      this.#open('bind').hidden = true;
      returned.rows = 0;
      returned.bytes = 0;
      const { entry, messages } = send();
      return { entry, messages: [bind, ...messages] };
    };
    const work: Work = {
      statements: [item.statement],
      permits: [permit],
      isSimple: false,
      returned,
      send,
      ...(bindMessage === undefined ? {} : { again: () => again(bindMessage) }),
    };
    const { stages } = this.#conversation;
    return this.#bounded.run(work) ?? permitted(stages, [permit], () => this.#run(portal).before);
  }

  #run(portal: Portal): { readonly before: Uint8Array | undefined; readonly entry: Expected } {
    const before = this.#describeFirst(portal);
    const entry = this.#open('execute');
    const item = portal.running;
    entry.statements = [item];
    entry.source = portal.source;
    this.#conversation.sent(item.statement);
    return { before, entry };
  }

  /** Rows that need a plan need a description; the gateway asks for it when the client does not. */
  #describeFirst(portal: Portal): Uint8Array | undefined {
    const { stages, segment } = this.#conversation;
    const item = portal.running;
    if (!needsDescription(item, stages.masks) || descriptionOf(item) !== undefined)
      return undefined;
    if (portal.describedIn === segment || portal.prepared?.describedIn === segment) {
      return undefined;
    }
    portal.describedIn = segment;
    const entry = this.#open('describe');
    entry.hidden = true;
    entry.described = (description) => {
      item.description = description;
    };
    return encodeDescribe('P', portal.name);
  }

  describe({ bytes, at, end }: Message): Soon<Outcome> {
    const named = readNamed(bytes, at, end);
    if (named === undefined) return notText;
    const { what, name } = named;
    if (what === 'statement') {
      return this.#describing(this.#statement(name), named, (found) =>
        this.#describeStatement(found),
      );
    }
    return this.#describing(this.#portal(name), named, (found) => this.#describePortal(found));
  }

  #describing<T extends object>(
    found: Soon<T | undefined>,
    { what, name }: NamedMessage,
    forward: (found: T) => void,
  ): Soon<Outcome> {
    return closed(() =>
      chain(found, (value) =>
        value === undefined
          ? unknownName(what === 'portal' ? what : 'prepared statement', name)
          : harmless(() => forward(value)),
      ),
    );
  }

  #describePortal(portal: Portal): void {
    const entry = this.#open('describe');
    entry.statements = [portal.running];
    portal.describedIn = this.#conversation.segment;
    entry.described = (description) => {
      portal.running.description = description;
    };
  }

  #describeStatement(prepared: Prepared): void {
    const entry = this.#open('describe');
    const { statements, masks } = prepared.analysed;
    entry.statements = statements.slice(0, 1).map((each) => running(each, { masks }));
    prepared.describedIn = this.#conversation.segment;
    entry.typed = (types) => {
      prepared.types = types;
    };
    entry.described = (description) => {
      prepared.description = description;
    };
  }

  close({ bytes, at, end }: Message): Outcome {
    const named = readNamed(bytes, at, end);
    if (named === undefined) return notText;
    return harmless(() => {
      const { statements, portals, segment } = this.#conversation;
      const names = named.what === 'statement' ? statements : portals;
      const entry = this.#open('close');
      entry.settlement = names.change(named.name, undefined, segment);
    });
  }

  /** An entry for a message of the extended protocol: its segment is closed by a Sync alone. */
  #open(
    kind: 'parse' | 'bind' | 'execute' | 'describe' | 'close',
  ): ReturnType<Conversation['expect']> {
    this.#conversation.segmentOpen = true;
    return this.#conversation.expect(kind);
  }

  #statement(name: string): Soon<Prepared | undefined> {
    return this.#settled(name, () => this.#conversation.findStatement(name));
  }

  #portal(name: string): Soon<Portal | undefined> {
    return this.#settled(name, () => this.#conversation.findPortal(name));
  }

  /** Looks a name up; waits while it is under way, asks the server when it is in doubt. */
  #settled<T>(name: string, find: () => Lookup<T>): Soon<T | undefined> {
    const found = find();
    const { namesUnknown, canRefresh } = this.#conversation;
    const inDoubt = found === undefined && name !== '' && namesUnknown && canRefresh;
    if (found !== 'wait' && !inDoubt) return found;
    return this.#settleNames().then(() => {
      const again = find();
      return again === 'wait' ? undefined : again;
    });
  }

  async #settleNames(): Promise<void> {
    await this.#conversation.whenAnswered();
    if (this.#conversation.namesUnknown) await this.#judge.refreshed();
  }

  /** Makes sure that a statement's analysis is one of this moment: the server plans anew too. */
  #fresh(prepared: Prepared): Soon<void> {
    const { analysed } = prepared;
    const isSame = analysed.under === this.#conversation.under();
    if (isSame && this.#judge.isSettled(analysed.statements)) return undefined;
    const { text, declared } = prepared;
    return chain(this.#judge.analyse(text, declared), (analysed) => {
      prepared.analysed = analysed;
    });
  }
}

/** Whether people may let it through after it was undone, so that it is bound once more. */
const mayRunTwice = (judged: Judged): boolean =>
  !judged.refused && judged.permits.some(({ limits }) => limits?.release !== undefined);
