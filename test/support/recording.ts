/** A session's worth of made-up facts for the tests of `src/recording`, and a recorder to use. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '#core/clock.ts';
import type { BoundValue, Command, SessionContext } from '#core/command.ts';
import type { GatewayError } from '#core/errors.ts';
import type { AuditEvent, EventDraft, EventLog } from '#core/events.ts';
import { opaqueFacts } from '#core/facts.ts';
import { asEpochMs, asId, type SessionId } from '#core/ids.ts';
import { defaultLimits } from '#core/limits.ts';
import { type AllowedCommand, mintAllowedCommand } from '#core/permit.ts';
import { systemRandom } from '#core/random.ts';
import type { Refusal, Verdict } from '#core/verdict.ts';
import { loadSigningKey } from '#recording/keys.ts';
import { Recorder, type RecorderOptions } from '#recording/recorder.ts';

/** The context of session `name`. */
export function testContext(name: string): SessionContext {
  return {
    session: asId<SessionId>(name),
    protocol: 'postgres',
    identity: {
      id: asId('ci/build-17'),
      kind: 'workload',
      issuer: 'ci',
      subject: 'build-17',
      displayName: 'Build 17',
      groups: ['ci'],
      roles: [],
      owner: 'group:platform',
      onBehalfOf: undefined,
      claims: { repository_id: '17' },
      expiresAt: asEpochMs(4_000_000_000_000),
    },
    target: {
      name: 'orders',
      protocol: 'postgres',
      address: { host: '127.0.0.1', port: 5432 },
      labels: { env: 'prod' },
      tls: { mode: 'verify-full', ca: undefined, serverName: undefined },
      accounts: [],
      settings: { password: 'canary-of-a-secret' },
    },
    account: 'readonly',
    namespace: 'shop',
    clientAddress: '127.0.0.1',
    clientName: 'psql',
    features: [],
    holdMode: 'wait',
  };
}

/** A command of that session. */
export function testCommand(
  context: SessionContext,
  id: string,
  text: string,
  parameters: readonly BoundValue[] = [],
): Command {
  return {
    id: asId(id),
    context,
    kind: 'execute',
    text,
    parameters,
    state: 'search_path=public',
    facts: opaqueFacts('a test'),
  };
}

/** A verdict with nothing unusual. */
export function testVerdict(outcome: Verdict['outcome']): Verdict {
  return {
    outcome,
    rule: 'reads',
    reason: 'because',
    policy: asId('f00d'),
    hold: undefined,
    observed: [],
  };
}

/** A permit for `command`. */
export const testPermit = (command: Command): AllowedCommand =>
  mintAllowedCommand(command, asId(`decision-of-${command.id}`));

/** A refusal by rule. */
export const testRefusal: Refusal = {
  refused: true,
  code: 'SP_POLICY_DENIED',
  rule: 'destructive',
  reason: 'drops a table',
  hint: 'ask',
  hold: undefined,
  endsSession: false,
};

/** An event log that keeps what it is told. */
export class KeptEvents implements EventLog {
  readonly drafts: EventDraft[] = [];

  emit(draft: EventDraft): void {
    this.drafts.push(draft);
  }

  commit(draft: EventDraft): Promise<AuditEvent> {
    this.drafts.push(draft);
    const number = this.drafts.length;
    return Promise.resolve({ ...draft, number, id: String(number), at: systemClock.now() });
  }

  types(): string[] {
    return this.drafts.map((draft) => draft.type);
  }
}

/** A directory of its own, and what a recorder in it needs. */
export interface RecorderBench {
  readonly directory: string;
  readonly events: KeptEvents;
  readonly failures: { readonly session: string; readonly error: GatewayError }[];
  readonly options: RecorderOptions;
  open(change?: Partial<RecorderOptions>): Promise<Recorder>;
  remove(): void;
}

/** Makes one under the system's directory for temporary files. */
export function recorderBench(directory?: string): RecorderBench {
  const home = directory ?? mkdtempSync(join(tmpdir(), 'sallyport-recording-'));
  const events = new KeptEvents();
  const failures: { session: string; error: GatewayError }[] = [];
  const options: RecorderOptions = {
    directory: join(home, 'recordings'),
    signingKey: loadSigningKey(join(home, 'keys')),
    recipients: [],
    gateway: 'test-gateway',
    reserveBytes: 0,
    limits: defaultLimits,
    clock: systemClock,
    random: systemRandom,
    events,
    onFailure: (session, error) => failures.push({ session, error }),
  };
  return {
    directory: options.directory,
    events,
    failures,
    options,
    open: (change = {}) => Recorder.open({ ...options, ...change }),
    remove: () => rmSync(home, { recursive: true, force: true }),
  };
}
