/**
 * The door of one connection: from proof to session. The only place where an authorization to dial
 * a target is made.
 *
 * Order: proof, target, grant, lock, bounds, recording, event; a failure anywhere ends the login.
 */
import type { Command, SessionContext } from '#core/command.ts';
import type { Clock } from '#core/clock.ts';
import { type ErrorCode, GatewayError, toGatewayError } from '#core/errors.ts';
import type { EventLog } from '#core/events.ts';
import { asEpochMs, asId, type HoldId, type SessionId } from '#core/ids.ts';
import type { Identity } from '#core/identity.ts';
import type { Limits } from '#core/limits.ts';
import type { MaskSet } from '#core/masking.ts';
import {
  type AllowedCommand,
  mintTargetAuthorization,
  type TargetAuthorization,
} from '#core/permit.ts';
import type {
  Admission,
  CancelRegistry,
  Door,
  HoldStatus,
  LoginAttempt,
  SessionEnd,
  Stages,
} from '#core/protocol.ts';
import { newId, type Random } from '#core/random.ts';
import type { Account, ProtocolName, Target } from '#core/target.ts';
import type { Wire } from '#core/wire.ts';
import { Gate } from './gate.ts';
import { type LiveSessions, lockRefusal, subjectOf } from './live.ts';
import type { Pasts, SessionPast } from './past.ts';
import type {
  ApprovalDesk,
  Authenticated,
  Authenticator,
  Directory,
  GrantedAccess,
  HoldArchive,
  Locks,
  MaskSetFactory,
  PolicySource,
  Recorder,
  SessionTape,
  UpstreamPort,
} from './ports.ts';

/** Everything that an admission works with; one object for the process. */
export interface AdmissionParts {
  readonly authenticator: Authenticator;
  readonly directory: Directory;
  readonly locks: Locks;
  readonly policies: PolicySource;
  readonly approvals: ApprovalDesk;
  readonly holds: HoldArchive;
  readonly recorder: Recorder;
  readonly events: EventLog;
  readonly upstream: UpstreamPort;
  readonly live: LiveSessions;
  readonly cancels: CancelRegistry;
  readonly maskSet: MaskSetFactory;
  readonly pasts: Pasts;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: Limits;
  /** Set while the process shuts down: nobody is let in any more. */
  readonly draining: () => boolean;
}

/** One connection that knocks. */
export interface Knock {
  readonly protocol: ProtocolName;
  readonly listener: Door['listener'];
  readonly wire: Wire;
  /** The stranger's budget is over: the connection has a session. */
  readonly admitted: () => void;
  /** Counts bytes of the stranger; throws above the budget. */
  readonly spend: (count: number) => void;
  readonly failed: (code: ErrorCode, detail: string) => void;
}

interface Opened {
  readonly context: SessionContext;
  readonly access: GrantedAccess;
  readonly tape: SessionTape;
  readonly signal: AbortSignal;
  readonly masks: MasksInForce;
  readonly past: SessionPast;
}

/** The door that a protocol is given for one connection. */
export function createDoor(parts: AdmissionParts, knock: Knock): Door {
  return {
    listener: knock.listener,
    cancels: parts.cancels,
    scramKeys: (credential) => parts.authenticator.scramKeys(credential),
    knowsKey: (key) => parts.authenticator.knowsKey(key),
    spend: knock.spend,
    failed: knock.failed,
    async admit(attempt, signal) {
      try {
        return await admit(parts, knock, attempt, signal);
      } catch (thrown) {
        const error = toGatewayError(thrown);
        parts.events.emit({
          type: 'login.failed',
          actor: 'system',
          session: undefined,
          target: undefined,
          data: {
            code: error.code,
            why: String(error.facts['why'] ?? error.code),
            user: attempt.user.slice(0, 256),
            address: knock.wire.peer.address,
            listener: knock.listener.name,
          },
        });
        throw error;
      }
    },
  };
}

async function admit(
  parts: AdmissionParts,
  knock: Knock,
  attempt: LoginAttempt,
  signal: AbortSignal,
): Promise<Admission> {
  if (parts.draining()) throw new GatewayError('SP_DRAINING');
  const proven = await parts.authenticator.authenticate(attempt.proof);
  signal.throwIfAborted();
  const { target, access } = authorise(parts, knock, attempt, proven);
  if (parts.live.size >= parts.limits.sessionsMax) throw new GatewayError('SP_TOO_MANY');
  const context: SessionContext = {
    session: newId<SessionId>(parts.clock.now(), parts.random),
    protocol: knock.protocol,
    identity: proven.identity,
    target,
    account: access.account.name,
    namespace: attempt.namespace,
    clientAddress: knock.wire.peer.address,
    clientName: attempt.clientName.slice(0, 256),
    holdMode: attempt.holdMode,
    features: access.features,
    purpose: access.purpose,
  };
  const lock = parts.locks.check(subjectOf(context));
  if (lock !== undefined) {
    throw new GatewayError('SP_LOCKED', { facts: { why: lockRefusal(lock).reason } });
  }
  const tape = await parts.recorder.start(context);
  const expiresAt = asEpochMs(Math.min(access.expiresAt, proven.identity.expiresAt));
  const live = {
    context,
    startedAt: parts.clock.now(),
    expiresAt,
    grant: access.grant,
    credential: proven.credential,
  };
  const opened = { context, access, tape, signal: parts.live.add(live, knock.wire) };
  const masks = new MasksInForce(parts, context);
  const place = { identity: context.identity.id, target: target.name };
  const opening = parts.pasts.open(place, () => masks.current().set);
  try {
    await parts.events.commit({
      type: 'session.started',
      actor: context.identity.id,
      session: context.session,
      target: target.name,
      data: {
        protocol: context.protocol,
        account: context.account,
        grant: access.grant,
        namespace: context.namespace,
        address: context.clientAddress,
        client: context.clientName,
        owner: context.identity.owner ?? null,
        onBehalfOf: context.identity.onBehalfOf ?? null,
        purpose: context.purpose ?? null,
        expiresAt,
      },
    });
  } catch (thrown) {
    parts.live.remove(context.session);
    (await opening).close();
    await tape.seal({ reason: 'error', code: 'SP_STORE', detail: 'the event was not stored' });
    throw toGatewayError(thrown, 'SP_STORE');
  }
  const past = await opening;
  knock.admitted();
  return openedSession(parts, { ...opened, masks, past });
}

/** Finds target and grant. After a valid proof, an unknown target and a missing grant look alike. */
function authorise(
  parts: AdmissionParts,
  knock: Knock,
  attempt: LoginAttempt,
  proven: Authenticated,
): { readonly target: Target; readonly access: GrantedAccess } {
  const { account: named, targetName } = splitUser(attempt.user, knock.listener.target);
  const refused = (why: string): GatewayError =>
    new GatewayError('SP_NO_GRANT', { facts: { why, identity: proven.identity.id } });
  const target = parts.directory.target(targetName);
  if (target === undefined) throw refused('no such target');
  if (target.protocol !== knock.protocol) throw refused('the target speaks another protocol');
  const { identity, scope } = proven;
  // A credential for one account says which, where its client cannot.
  const [only] = scope?.accounts.length === 1 ? scope.accounts : [];
  const wish = { account: named ?? only, purpose: scope?.purpose };
  const access = parts.directory.access(identity, target, wish, parts.clock.now());
  if (!access.allowed) throw refused(access.why);
  if (scope !== undefined) {
    const fits = (names: readonly string[], name: string): boolean =>
      names.length === 0 || names.includes(name);
    if (!fits(scope.targets, target.name)) throw refused('the credential is for another target');
    if (!fits(scope.accounts, access.account.name)) {
      throw refused('the credential is for another account');
    }
  }
  return { target, access };
}

/**
 * The gateway's own access to a target, to read its catalogue: no client, no grant, no session. A
 * connection that is dialled with it never carries a byte of a client.
 */
export function gatewayAuthorization(
  target: Target,
  account: Account,
  clock: Clock,
  random: Random,
): TargetAuthorization {
  const now = clock.now();
  const identity: Identity = {
    id: asId('system/catalogue'),
    kind: 'workload',
    issuer: 'system',
    subject: 'catalogue',
    displayName: 'the gateway',
    groups: [],
    roles: [],
    owner: undefined,
    onBehalfOf: undefined,
    claims: {},
    expiresAt: now,
  };
  const context: SessionContext = {
    session: newId<SessionId>(now, random),
    protocol: target.protocol,
    identity,
    target,
    account: account.name,
    namespace: '',
    clientAddress: '',
    clientName: '',
    features: [],
    holdMode: 'refuse',
  };
  return mintTargetAuthorization(context, account);
}

/** `account@target` at the last `@`; on a bound listener the whole name is the account. */
export function splitUser(
  user: string,
  bound: string | undefined,
): { readonly account: string | undefined; readonly targetName: string } {
  if (bound !== undefined) return { account: user === '' ? undefined : user, targetName: bound };
  const at = user.lastIndexOf('@');
  if (at < 0) return { account: undefined, targetName: user };
  return { account: at === 0 ? undefined : user.slice(0, at), targetName: user.slice(at + 1) };
}

function openedSession(parts: AdmissionParts, opened: Opened): Admission {
  const { context, access, tape, signal, past } = opened;
  const id = context.session;
  const gate = new Gate({
    policies: parts.policies,
    approvals: parts.approvals,
    tape,
    events: parts.events,
    clock: parts.clock,
    past,
    ended: () => parts.live.refusalOf(id),
    end: (refusal) => parts.live.end(id, refusal),
  });
  const authorization = mintTargetAuthorization(context, access.account);
  let closing: Promise<void> | undefined;
  return {
    authorization,
    signal,
    stages: new SessionStages(parts, opened, gate),
    secrets: () => parts.upstream.secrets(access.account),
    async dial(dialSignal) {
      const both = AbortSignal.any([dialSignal, signal]);
      const wire = await parts.upstream.dial(authorization, both);
      parts.live.addWire(id, wire);
      return wire;
    },
    release: (wire) => parts.live.removeWire(id, wire),
    close(end) {
      closing ??= closeSession(parts, opened, end);
      return closing;
    },
  };
}

async function closeSession(
  parts: AdmissionParts,
  { context, tape, past }: Opened,
  end: SessionEnd,
): Promise<void> {
  const refusal = parts.live.refusalOf(context.session);
  const told: SessionEnd =
    refusal === undefined ? end : { reason: 'refused', code: refusal.code, detail: refusal.reason };
  try {
    await tape.seal(told);
  } finally {
    // Live until its evidence is whole: a drain waits for that.
    parts.live.remove(context.session);
    past.close();
    parts.events.emit({
      type: 'session.ended',
      actor: context.identity.id,
      session: context.session,
      target: context.target.name,
      data: { reason: told.reason, code: told.code ?? null, detail: told.detail },
    });
  }
}

/** The masks of a session. They are made anew when the policy is another one. */
class MasksInForce {
  readonly #parts: AdmissionParts;
  readonly #context: SessionContext;
  #made: { readonly epoch: number; readonly set: MaskSet; readonly facts: boolean } | undefined;

  constructor(parts: AdmissionParts, context: SessionContext) {
    this.#parts = parts;
    this.#context = context;
  }

  /** The masks, and whether an answer of the gate can depend on facts. */
  current(): { readonly set: MaskSet; readonly facts: boolean } {
    const { epoch } = this.#parts.live;
    if (this.#made?.epoch === epoch) return this.#made;
    const policy = this.#parts.policies.current();
    const set = this.#parts.maskSet(policy.maskRules(this.#context), policy.version);
    this.#made = { epoch, set, facts: !set.empty || policy.readsFacts(this.#context) };
    return this.#made;
  }
}

/** What the relay sees. */
class SessionStages implements Stages {
  readonly context: SessionContext;
  readonly tape: SessionTape;
  readonly #parts: AdmissionParts;
  readonly #opened: Opened;
  readonly #gate: Gate;
  #commands = 0;

  constructor(parts: AdmissionParts, opened: Opened, gate: Gate) {
    this.context = opened.context;
    this.tape = opened.tape;
    this.#parts = parts;
    this.#opened = opened;
    this.#gate = gate;
  }

  get epoch(): number {
    return this.#parts.live.epoch;
  }

  get masks(): MaskSet {
    return this.#opened.masks.current().set;
  }

  get factsMatter(): boolean {
    return this.#opened.masks.current().facts;
  }

  sent({ command }: AllowedCommand): void {
    if (command.kind === 'execute') this.#opened.past.did(command.facts);
  }

  gate: Stages['gate'] = (command, onHold, cancelled) =>
    this.#gate.judge(command, onHold, cancelled);

  exceeded: Stages['exceeded'] = (permit, excess, how) => this.#gate.exceeded(permit, excess, how);

  async hold(id: string): Promise<HoldStatus | undefined> {
    const hold = await this.#parts.holds.show(asId<HoldId>(id)).catch((thrown: unknown) => {
      const error = toGatewayError(thrown);
      if (error.code !== 'SP_NOT_FOUND') throw error;
      return undefined;
    });
    const { identity, target } = this.context;
    // Of another's hold nothing is told, not even that there is one.
    const isOwn = hold?.command.requester.id === identity.id && hold.command.target === target.name;
    if (hold === undefined || !isOwn) return undefined;
    const { state, rule, reason, expiresAt, validUntil, reviews } = hold;
    const approvals = reviews.filter(({ decision }) => decision === 'approve').length;
    return { id: hold.id, state, rule, reason, expiresAt, validUntil, approvals };
  }

  commandId(): Command['id'] {
    this.#commands += 1;
    return asId(`${this.context.session}.${this.#commands}`);
  }
}
