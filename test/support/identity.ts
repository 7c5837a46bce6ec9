/** What tests of identity and API share: a clock to move, an event log in memory, a configuration. */
import type { Clock } from '#core/clock.ts';
import type { AuditEvent, EventDraft, EventLog } from '#core/events.ts';
import { asEpochMs, type EpochMs } from '#core/ids.ts';
import type { Target } from '#core/target.ts';
import { type IssuerConfig, issuerSchema } from '#identity/config.ts';

/** The system's time plus what a test adds; timers run when the test moves it. */
export class TestClock implements Clock {
  #offsetMs = 0;
  #timers: { readonly at: number; readonly run: () => void }[] = [];

  now = (): EpochMs => asEpochMs(Date.now() + this.#offsetMs);
  monotonicMs = (): number => performance.now() + this.#offsetMs;

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.monotonicMs() + ms, run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  every(): () => void {
    return () => undefined;
  }

  pass(ms: number): void {
    this.#offsetMs += ms;
    const now = this.monotonicMs();
    const due = this.#timers.filter(({ at }) => at <= now);
    this.#timers = this.#timers.filter(({ at }) => at > now);
    for (const { run } of due) run();
  }
}

/** Keeps events; fails when told to. */
export class MemoryEvents implements EventLog {
  readonly told: AuditEvent[] = [];
  failing = false;

  emit(draft: EventDraft): void {
    if (this.failing) throw new Error('the event log fails, as the test wants');
    const number = this.told.length + 1;
    this.told.push({ ...draft, number, id: `event-${number}`, at: asEpochMs(Date.now()) });
  }

  async commit(draft: EventDraft): Promise<AuditEvent> {
    this.emit(draft);
    const event = this.told.at(-1);
    if (event === undefined) throw new Error('no event');
    return event;
  }

  get types(): readonly string[] {
    return this.told.map(({ type }) => type);
  }
}

/** A CI issuer at `url`, as a configuration would have it. */
export function issuerConfig(
  url: string,
  change: Readonly<Record<string, unknown>> = {},
): IssuerConfig {
  return issuerSchema.parse({
    name: 'ci',
    url,
    audience: 'sallyport',
    require: [{ claim: 'repository_owner_id', equals: 42 }],
    map: {
      kind: 'workload',
      subject: 'repository_id',
      owner: { claim: 'actor' },
      addGroups: ['ci'],
      displayName: 'repository',
      claims: { ref: 'ref' },
    },
    ...change,
  });
}

/** Claims that {@link issuerConfig} accepts. */
export const jobClaims: Readonly<Record<string, unknown>> = {
  aud: 'sallyport',
  sub: 'repo:acme/shop:ref:refs/heads/main',
  repository_id: '1001',
  repository_owner_id: '42',
  repository: 'acme/shop',
  actor: 'people/alice',
  ref: 'refs/heads/main',
};

/** A target with the accounts `app` and `readonly`. */
export function testTarget(name: string, labels: Readonly<Record<string, string>> = {}): Target {
  const account = (each: string) => ({
    name: each,
    username: each,
    password: undefined,
    clientCertificate: undefined,
    clientKey: undefined,
  });
  return {
    name,
    protocol: 'postgres',
    address: { host: '127.0.0.1', port: 5432 },
    labels,
    tls: { mode: 'disable', ca: undefined, serverName: undefined },
    accounts: [account('app'), account('readonly')],
    settings: {},
  };
}
