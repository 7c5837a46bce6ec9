/** What tests of holds share: a store in memory that can be slow or broken, people, commands. */
import { createHash } from 'node:crypto';
import type { Command, SessionContext } from '#core/command.ts';
import { noFacts } from '#core/facts.ts';
import { GatewayError } from '#core/errors.ts';
import type { AuditEvent, EventDraft, EventLog } from '#core/events.ts';
import { asEpochMs, asId, type HoldId } from '#core/ids.ts';
import type { Identity } from '#core/identity.ts';
import type { HoldRecord, HoldStore } from '#core/ports/holds.ts';
import type { HoldTerms, Verdict } from '#core/verdict.ts';

export const sha256Hex = (bytes: Uint8Array): string =>
  createHash('sha256').update(bytes).digest('hex');

/** Keeps revisions as the real store does; `slow` makes writes wait for `release`. */
export class MemoryHoldStore implements HoldStore {
  readonly holds: Map<HoldId, HoldRecord> = new Map();
  slow = false;
  broken = false;
  #waiting: (() => void)[] = [];

  put(hold: HoldRecord): Promise<boolean> {
    return this.#put(hold, () => true);
  }

  /** `put` for a process that can be killed: what it had under way then is lost. */
  putWhile(isAlive: () => boolean): HoldStore['put'] {
    return (hold) => this.#put(hold, isAlive);
  }

  async #put(hold: HoldRecord, isAlive: () => boolean): Promise<boolean> {
    if (this.slow) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    if (this.broken || !isAlive()) throw new GatewayError('SP_STORE');
    if ((this.holds.get(hold.id)?.revision ?? 0) !== hold.revision - 1) return false;
    this.holds.set(hold.id, hold);
    return true;
  }

  release(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  async find(id: HoldId): Promise<HoldRecord | undefined> {
    return this.holds.get(id);
  }

  async live(): Promise<readonly HoldRecord[]> {
    return [...this.holds.values()].filter(
      ({ state }) => state === 'pending' || state === 'approved',
    );
  }

  async recent(count: number): Promise<readonly HoldRecord[]> {
    return [...this.holds.values()].toReversed().slice(0, count);
  }

  async purge(): Promise<void> {}
}

/** Remembers what was told. */
export class MemoryEvents implements EventLog {
  readonly drafts: EventDraft[] = [];
  broken = false;

  emit(draft: EventDraft): void {
    if (this.broken) throw new GatewayError('SP_STORE');
    this.drafts.push(draft);
  }

  async commit(draft: EventDraft): Promise<AuditEvent> {
    this.emit(draft);
    return { ...draft, number: this.drafts.length, id: '', at: asEpochMs(0) };
  }
}

/** A person, or with `kind` a program. */
export function person(id: string, more: Partial<Identity> = {}): Identity {
  const slash = id.indexOf('/');
  return {
    id: asId(id),
    kind: 'human',
    issuer: id.slice(0, slash),
    subject: id.slice(slash + 1),
    displayName: id.slice(slash + 1),
    groups: ['dba'],
    roles: ['reviewer'],
    owner: undefined,
    onBehalfOf: undefined,
    claims: {},
    expiresAt: asEpochMs(Number.MAX_SAFE_INTEGER),
    ...more,
  };
}

export const job: Identity = person('ci/job', {
  kind: 'workload',
  groups: ['ci'],
  roles: [],
  owner: 'okta/owner',
  onBehalfOf: asId('okta/boss'),
});

export function heldCommand(text: string, more: Partial<SessionContext> = {}): Command {
  return {
    id: asId('session.1'),
    context: {
      session: asId('session'),
      protocol: 'postgres',
      identity: job,
      target: {
        name: 'orders',
        protocol: 'postgres',
        address: { host: 'db', port: 5432 },
        labels: { env: 'prod' },
        tls: { mode: 'verify-full', ca: undefined, serverName: undefined },
        accounts: [],
        settings: undefined,
      },
      account: 'app',
      namespace: 'shop',
      clientAddress: '127.0.0.1',
      clientName: 'psql',
      features: [],
      holdMode: 'wait',
      ...more,
    },
    kind: 'execute',
    text,
    parameters: [],
    state: 'search_path=public',
    facts: { ...noFacts, effects: ['delete-all'], verbs: ['DELETE'] },
  };
}

export function holdVerdict(terms: Partial<HoldTerms> = {}, rule = 'destructive'): Verdict {
  return {
    outcome: 'hold',
    rule,
    reason: 'it destroys data',
    policy: asId('policy'),
    hold: { reviewers: ['group:dba'], approvals: 1, waitMs: 600_000, validMs: 900_000, ...terms },
    observed: [],
  };
}
