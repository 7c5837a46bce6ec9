/**
 * The PostgreSQL data path alone, for tests: both handshakes and the relay, with a real server
 * behind, but a gate, a tape, an analyser and masks that the test decides. What the whole gateway
 * does is `gateway.ts`.
 */
import { createServer, type Server } from 'node:net';
import { systemClock } from '#core/clock.ts';
import type { Command, SessionContext } from '#core/command.ts';
import { asEpochMs, asId } from '#core/ids.ts';
import { defaultLimits, type Limits } from '#core/limits.ts';
import type { CellKind, ColumnMask, ContentScanner, MaskSet, Transform } from '#core/masking.ts';
import { mintAllowedCommand, mintTargetAuthorization } from '#core/permit.ts';
import type {
  Admission,
  Door,
  HoldNotice,
  ProtocolServices,
  SessionEnd,
  Stages,
} from '#core/protocol.ts';
import { systemRandom } from '#core/random.ts';
import type { Tape } from '#core/tape.ts';
import type { Target } from '#core/target.ts';
import type { Excess, Refusal, RunLimits } from '#core/verdict.ts';
import { postgresRuntime } from '#protocols/postgres/runtime.ts';
import { CatalogueCache } from '#protocols/postgres/sql/catalogue-cache.ts';
import type { SqlAnalyser } from '#protocols/postgres/sql/types.ts';
import { createCancelRegistry } from '#session/cancels.ts';
import { SocketWire } from '#wire/socket-wire.ts';
import { tableAnalyser } from './analyser.ts';

/** What the gate of a test answers: a permit, one that lifts masks, or a refusal. */
export type Answer =
  | 'allow'
  | { readonly refused: false; readonly lift: readonly string[] }
  | Refusal;

export interface RelayOptions {
  readonly host: string;
  readonly port: number;
  /** Account at the server, trusted there. */
  readonly username: string;
  readonly judge?: (
    command: Command,
    onHold: (notice: HoldNotice) => void,
    cancelled: AbortSignal,
  ) => Answer | Promise<Answer>;
  /** What binds every command that is allowed. */
  readonly runLimits?: RunLimits;
  readonly exceeded?: Stages['exceeded'];
  readonly analyser?: SqlAnalyser;
  readonly catalogues?: Pick<CatalogueCache, 'current' | 'changes'>;
  /** Read for each use, so that a test can change them. */
  readonly masks?: () => MaskSet;
  readonly limits?: Partial<Limits>;
  readonly holdMode?: 'wait' | 'refuse';
}

export interface TestRelay {
  readonly port: number;
  /** Every command that was judged, in order. */
  readonly commands: Command[];
  /** Every command that went on to the server, in order. */
  readonly sent: Command[];
  readonly ends: SessionEnd[];
  /** What the tape of all sessions has. */
  readonly fromClient: () => Uint8Array;
  readonly toClient: () => Uint8Array;
  readonly marks: { readonly kind: string; readonly data: Readonly<Record<string, unknown>> }[];
  /** A policy, lock or expiry changed. */
  bumpEpoch(): void;
  /** Makes the tape say that it is behind, or that it is not any more. */
  setBehind(behind: boolean): void;
  /** Ends every session. */
  abort(refusal: Refusal): void;
  stop(): Promise<void>;
}

export async function startRelay(options: RelayOptions): Promise<TestRelay> {
  const state = new RelayState(options);
  const limits: Limits = { ...defaultLimits, ...options.limits };
  const services: ProtocolServices = {
    clock: systemClock,
    random: systemRandom,
    limits,
    dial: (_, signal) => SocketWire.dial(options, signal),
    privateKey: () => {
      throw new Error('PostgreSQL has no key of its own');
    },
    warn: () => {},
  };
  const runtime = postgresRuntime(services, {
    analyser: options.analyser ?? tableAnalyser(),
    catalogues: options.catalogues ?? new CatalogueCache({ clock: systemClock, limits }),
    close: async () => {},
  });
  const stopping = new AbortController();
  const running = new Set<Promise<void>>();
  const wires = new Set<SocketWire>();
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    const wire = SocketWire.accept(socket);
    if (wire === undefined) return;
    wires.add(wire);
    const session = runtime.serve(wire, state.door(), stopping.signal).finally(() => {
      running.delete(session);
      wires.delete(wire);
    });
    running.add(session);
  });
  const port = await listen(server);
  return {
    port,
    commands: state.commands,
    sent: state.sent,
    ends: state.ends,
    marks: state.marks,
    fromClient: () => Buffer.concat(state.recorded['from-client']),
    toClient: () => Buffer.concat(state.recorded['to-client']),
    bumpEpoch: () => {
      state.epoch += 1;
    },
    setBehind: (behind) => state.setBehind(behind),
    abort: (refusal) => state.aborting.abort(refusal),
    async stop() {
      server.close();
      for (const wire of wires) wire.destroy();
      await Promise.all(running);
      await runtime.close();
    },
  };
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
}

/** Stages alone, for tests of one side of the relay. */
export const testStages = (options: Pick<RelayOptions, 'masks' | 'judge'> = {}): Stages =>
  new RelayState({ host: '', port: 0, username: 'a', ...options }).stages('');

const aboveLimit = ({ limit, found, detail }: Excess): Refusal => ({
  refused: true,
  code: 'SP_LIMIT_EXCEEDED',
  rule: 'limits',
  reason: `${limit} ${found ?? 'unknown'} ${detail}`.trim(),
  hint: '',
  hold: undefined,
  endsSession: false,
});

class RelayState {
  readonly #options: RelayOptions;
  readonly commands: Command[] = [];
  readonly sent: Command[] = [];
  readonly ends: SessionEnd[] = [];
  readonly marks: { kind: string; data: Readonly<Record<string, unknown>> }[] = [];
  readonly recorded: Record<'from-client' | 'to-client', Uint8Array[]> = {
    'from-client': [],
    'to-client': [],
  };
  readonly aborting = new AbortController();
  readonly #cancels = createCancelRegistry();
  epoch = 1;
  behind = false;
  #ready: (() => void)[] = [];
  #serial = 0;

  constructor(options: RelayOptions) {
    this.#options = options;
  }

  setBehind(behind: boolean): void {
    this.behind = behind;
    if (behind) return;
    for (const callback of this.#ready.splice(0)) callback();
  }

  door(): Door {
    return {
      listener: {
        name: 'test',
        target: 'shop',
        tls: undefined,
        plaintextAllowed: true,
        authentication: 'password',
        oauth: undefined,
      },
      knowsKey: () => false,
      scramKeys: () => Promise.reject(new Error('not here')),
      admit: async (attempt) => this.#admission(attempt.namespace),
      cancels: this.#cancels,
      spend: () => {},
      failed: () => {},
    };
  }

  #admission(namespace: string): Admission {
    const context = this.#context(namespace);
    const account = context.target.accounts[0];
    if (account === undefined) throw new Error('no account');
    return {
      authorization: mintTargetAuthorization(context, account),
      dial: (signal) => SocketWire.dial(this.#options, signal),
      release: () => undefined,
      secrets: async () => ({
        username: this.#options.username,
        password: undefined,
        clientCertificate: undefined,
        clientKey: undefined,
      }),
      stages: this.stages(namespace),
      signal: this.aborting.signal,
      close: async (end) => {
        this.ends.push(end);
      },
    };
  }

  stages(namespace: string): Stages {
    const context = this.#context(namespace);
    const state = (): RelayState => this;
    return {
      context,
      gate: (command, onHold, cancelled) => {
        this.commands.push(command);
        const answer = this.#options.judge?.(command, onHold, cancelled) ?? 'allow';
        const settle = (settled: Answer): ReturnType<typeof mintAllowedCommand> | Refusal => {
          if (settled !== 'allow' && settled.refused) return settled;
          const lifted = settled === 'allow' ? [] : settled.lift;
          const limits = this.#options.runLimits;
          return mintAllowedCommand(command, asId(`${command.id}/1`), { limits, lifted });
        };
        return answer instanceof Promise ? answer.then(settle) : settle(answer);
      },
      sent: (permit) => {
        this.sent.push(permit.command);
      },
      exceeded: (permit, excess, how) =>
        this.#options.exceeded?.(permit, excess, how) ?? aboveLimit(excess),
      get epoch() {
        return state().epoch;
      },
      get masks() {
        return state().#options.masks?.() ?? noMasks;
      },
      tape: this.#tape(),
      factsMatter: true,
      hold: () => Promise.resolve(undefined),
      commandId: () => {
        this.#serial += 1;
        return asId(`command-${this.#serial}`);
      },
    };
  }

  #tape(): Tape {
    const state = (): RelayState => this;
    return {
      data: (direction, bytes, start, end) => {
        this.recorded[direction].push(new Uint8Array(bytes.subarray(start, end)));
      },
      judged: () => {},
      mark: (kind, data) => {
        this.marks.push({ kind, data });
      },
      commit: () => {},
      get behind() {
        return state().behind;
      },
      whenReady: (callback) => {
        this.#ready.push(callback);
      },
    };
  }

  #context(namespace: string): SessionContext {
    const { host, port, username, holdMode } = this.#options;
    const target: Target = {
      name: 'shop',
      protocol: 'postgres',
      address: { host, port },
      labels: {},
      tls: { mode: 'disable', ca: undefined, serverName: undefined },
      accounts: [
        {
          name: username,
          username,
          password: undefined,
          clientCertificate: undefined,
          clientKey: undefined,
        },
      ],
      settings: {},
    };
    return {
      session: asId('session-1'),
      protocol: 'postgres',
      identity: {
        id: asId('ci/job'),
        kind: 'workload',
        issuer: 'ci',
        subject: 'job',
        displayName: 'job',
        groups: [],
        roles: [],
        owner: undefined,
        onBehalfOf: undefined,
        claims: {},
        expiresAt: asEpochMs(Number.MAX_SAFE_INTEGER),
      },
      target,
      account: username,
      namespace,
      clientAddress: '127.0.0.1',
      clientName: 'test',
      features: [],
      holdMode: holdMode ?? 'wait',
    };
  }
}

/** Nothing is masked. */
export const noMasks: MaskSet = {
  version: 'none',
  empty: true,
  column: () => undefined,
  columns: [],
  content: undefined,
  without: () => noMasks,
  replace: () => null,
};

/** Masks on the named columns, each with its transform; `redact` gives the simplest valid value. */
export function masksOn(
  columns: Readonly<Record<string, Transform>>,
  content?: ContentScanner,
  version = 'test',
): MaskSet {
  const masks = new Map(
    Object.entries(columns).map(([name, transform]): [string, ColumnMask] => [
      name,
      { id: name, transform },
    ]),
  );
  return {
    version,
    empty: false,
    column: (schema, table, column) => masks.get(`${schema}.${table}.${column}`),
    columns: [...masks.keys()],
    content,
    without: (ids) => {
      const left = Object.entries(columns).filter(([name]) => !ids.includes(name));
      return masksOn(Object.fromEntries(left), content, `${version}-${ids.join()}`);
    },
    replace: (transform, kind, text) => {
      if (transform.kind === 'null') return null;
      if (transform.kind === 'fixed') return transform.value;
      if (transform.kind === 'partial' && text !== undefined) {
        return (
          '*'.repeat(Math.max(0, text.length - transform.keepEnd)) + text.slice(-transform.keepEnd)
        );
      }
      const zoned = kind === 'timestamp' && text?.endsWith('+00') === true;
      return zoned ? `${simplest[kind]}+00` : simplest[kind];
    },
  };
}

const simplest: Readonly<Record<CellKind, string | null>> = {
  text: '[redacted]',
  integer: '0',
  decimal: '0',
  float: '0',
  boolean: null,
  date: '1970-01-01',
  time: '00:00:00',
  timestamp: '1970-01-01 00:00:00',
  interval: '00:00:00',
  uuid: '00000000-0000-0000-0000-000000000000',
  inet: '0.0.0.0',
  macaddr: '00:00:00:00:00:00',
  json: 'null',
  bytes: '\\x',
  other: null,
};
