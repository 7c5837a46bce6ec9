/**
 * What `policy explain` and `policy test` need of an installation: its targets, the identities that
 * its gateway has seen, and the protocols' analysers with the targets' catalogues, each read once
 * over a connection of its own.
 */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { systemClock } from '#core/clock.ts';
import type { SessionContext } from '#core/command.ts';
import { GatewayError, toGatewayError } from '#core/errors.ts';
import { type Facts, opaqueFacts } from '#core/facts.ts';
import { type History, unknownHistory } from '#core/history.ts';
import { asEpochMs, type EpochMs } from '#core/ids.ts';
import type { Identity } from '#core/identity.ts';
import type { PolicyMasks, PolicyWorld } from '#core/ports/policy-tools.ts';
import type {
  AnalysedCommand,
  AnalysisPlace,
  Protocol,
  ProtocolRuntime,
  ProtocolServices,
} from '#core/protocol.ts';
import { systemRandom } from '#core/random.ts';
import { type Account, accountNamed, type ProtocolName, type Target } from '#core/target.ts';
import { personIdentity } from '#identity/authenticator.ts';
import { gatewayAuthorization } from '#session/admission.ts';
import { Pasts } from '#session/past.ts';
import type { UpstreamPort } from '#session/ports.ts';
import { type IdentityReader, readIdentities } from '#store/store.ts';
import type { GatewayConfig } from './gateway.ts';
import { maskSetFactory } from './masks.ts';
import { ConfiguredSecrets, createUpstream, gatewayKey } from './ports.ts';
import { buildTarget } from './targets.ts';

/** For reaching a target and reading its catalogue. */
const LEARN_MS_MAX = 60_000;
/** Identities and places that are remembered. */
const KEPT_MAX = 10_000;

export interface ExplainParts {
  readonly loaded: GatewayConfig;
  readonly registry: ReadonlyMap<ProtocolName, Protocol>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Tells the person what went wrong on the way. */
  readonly report: (message: string) => void;
}

export class ExplainWorld implements PolicyWorld {
  readonly #parts: ExplainParts;
  readonly #upstream: UpstreamPort;
  // Facts do not depend on the key that masked values are made with.
  readonly #maskSet: ReturnType<typeof maskSetFactory>;
  readonly #targets = new Map<string, Target>();
  readonly #runtimes = new Map<ProtocolName, Promise<ProtocolRuntime>>();
  readonly #identities = new Map<string, Identity | undefined>();
  /** By place: why it could not be learned, or undefined. */
  readonly #learned = new Map<string, Promise<string | undefined>>();
  #store: IdentityReader | 'none' | undefined;
  #unlearned = 0;

  constructor(parts: ExplainParts) {
    const { loaded, environment } = parts;
    this.#parts = parts;
    this.#upstream = createUpstream(loaded, new ConfiguredSecrets(loaded.directory, environment));
    this.#maskSet = maskSetFactory(systemRandom.bytes(32), loaded.config.limits.cellBytesMax);
    const schemas = new Map([...parts.registry].map(([name, { settings }]) => [name, settings]));
    for (const target of loaded.config.targets) {
      this.#targets.set(target.name, buildTarget(target, loaded.directory, schemas));
    }
  }

  get now(): EpochMs {
    return systemClock.now();
  }

  /** Places whose catalogue could not be read; what would run there is opaque. */
  get unlearned(): number {
    return this.#unlearned;
  }

  target(name: string): Target | undefined {
    return this.#targets.get(name);
  }

  /** The first account with which the gateway can log in; its database is the target's own. */
  place(target: Target): { readonly account: string; readonly namespace: string } {
    const { accounts } = target;
    const named = accounts.filter(({ name }) => name !== '*');
    const account = named.find(hasSecret) ?? named[0];
    return { account: account?.name ?? '', namespace: '' };
  }

  async identity(id: string): Promise<Identity | undefined> {
    if (this.#identities.has(id)) return this.#identities.get(id);
    const person = this.#parts.loaded.config.people.find(({ name }) => id === `people/${name}`);
    const found =
      person === undefined
        ? await this.#seen(id)
        : personIdentity(person, asEpochMs(Number.MAX_SAFE_INTEGER));
    if (this.#identities.size >= KEPT_MAX) this.#identities.clear();
    this.#identities.set(id, found);
    return found;
  }

  /** What a session would find in a text. Where the catalogue cannot be read all of it is opaque. */
  analyse = async (
    input: unknown,
    context: SessionContext,
    masks: PolicyMasks,
  ): Promise<readonly AnalysedCommand[]> => {
    const runtime = await this.#runtime(context.protocol);
    const why = await this.#learn(context);
    const commands = await runtime.analyse(
      input,
      context,
      this.#maskSet(masks.rules, masks.version),
    );
    return why === undefined
      ? commands
      : commands.map(({ text }) => ({ text, facts: opaqueFacts(why) }));
  };

  /**
   * The same for a test in a policy file: against the configured target of that name, in its own
   * database. A test is no answer when the target cannot be reached, so that throws.
   */
  analyseTest = async (
    input: unknown,
    context: SessionContext,
    masks: PolicyMasks,
  ): Promise<readonly AnalysedCommand[]> => {
    const target = this.target(context.target.name);
    if (target === undefined) throw new Error(`no target '${context.target.name}' is configured`);
    const place = { ...context, target, ...this.place(target) };
    const why = await this.#learn(place);
    if (why !== undefined) throw new Error(why);
    return this.analyse(input, place, masks);
  };

  /** As a session would know it; nothing is written. */
  past = async (
    { identity, target }: SessionContext,
    masks: PolicyMasks,
  ): Promise<(facts: Facts) => History> => {
    const store = this.#opened();
    if (store === 'none') return unknownHistory;
    const pasts = new Pasts({
      store: { ...nothingKept, load: (place, since) => store.history.load(place, since) },
      clock: systemClock,
      limits: this.#parts.loaded.config.limits,
      warn: (message, thrown) => this.#parts.report(`${message}: ${told(thrown)}`),
    });
    const set = this.#maskSet(masks.rules, masks.version);
    const past = await pasts.open({ identity: identity.id, target: target.name }, () => set);
    return (facts) => past.of(facts);
  };

  async close(): Promise<void> {
    const runtimes = await Promise.allSettled(this.#runtimes.values());
    for (const runtime of runtimes) {
      if (runtime.status === 'fulfilled') await runtime.value.close();
    }
    if (this.#store !== undefined && this.#store !== 'none') await this.#store.close();
  }

  /** An identity that the gateway has met; unknown where there is no store to ask. */
  async #seen(id: string): Promise<Identity | undefined> {
    const store = this.#opened();
    try {
      return store === 'none' ? undefined : (await store.find(id))?.identity;
    } catch (thrown) {
      return this.#unopened(thrown);
    }
  }

  /** The store of the gateway, if there is one. */
  #opened(): IdentityReader | 'none' {
    const path = this.#storePath;
    try {
      this.#store ??= existsSync(path) ? readIdentities(path) : 'none';
    } catch (thrown) {
      this.#unopened(thrown);
    }
    return this.#store ?? 'none';
  }

  #unopened(thrown: unknown): undefined {
    this.#store = 'none';
    this.#parts.report(`identities cannot be looked up in ${this.#storePath}: ${told(thrown)}`);
  }

  get #storePath(): string {
    const { loaded } = this.#parts;
    return resolve(loaded.directory, loaded.config.store.file);
  }

  #runtime(name: ProtocolName): Promise<ProtocolRuntime> {
    const known = this.#runtimes.get(name);
    if (known !== undefined) return known;
    const protocol = this.#parts.registry.get(name);
    const started =
      protocol === undefined
        ? Promise.reject(new GatewayError('SP_CONFIG', { detail: `no protocol '${name}'` }))
        : protocol.start(this.#services());
    this.#runtimes.set(name, started);
    return started;
  }

  #services(): ProtocolServices {
    return {
      clock: systemClock,
      random: systemRandom,
      limits: this.#parts.loaded.config.limits,
      dial: (authorization, signal) => this.#upstream.dial(authorization, signal),
      privateKey: (name) => gatewayKey(this.#parts.loaded, name),
      // What goes wrong reaches the person as the error that follows.
      warn: () => undefined,
    };
  }

  /** Reads what the place has to tell, once; answers why that failed. */
  #learn(place: AnalysisPlace): Promise<string | undefined> {
    const key = JSON.stringify([place.target.name, place.account, place.namespace]);
    const known = this.#learned.get(key);
    if (known !== undefined) return known;
    const learning = this.#read(place).then(
      () => undefined,
      (thrown: unknown) => {
        const { target, account } = place;
        const why = `the catalogue of '${target.name}' cannot be read as '${account}'`;
        this.#unlearned += 1;
        this.#parts.report(`${why}: ${told(thrown)}`);
        return `${why}: ${toGatewayError(thrown).message}`;
      },
    );
    // What the runtime has forgotten by now has to be learned again.
    if (this.#learned.size >= this.#parts.loaded.config.limits.catalogueTargetsMax) {
      this.#learned.clear();
    }
    this.#learned.set(key, learning);
    return learning;
  }

  async #read({ target, account: name, namespace }: AnalysisPlace): Promise<void> {
    const account = accountNamed(target, name);
    if (account === undefined) {
      throw new GatewayError('SP_BAD_REQUEST', { detail: 'the target has no such account' });
    }
    const runtime = await this.#runtime(target.protocol);
    const authorization = gatewayAuthorization(target, account, systemClock, systemRandom);
    const secrets = () => this.#upstream.secrets(account);
    const deadline = new AbortController();
    const cancel = systemClock.after(LEARN_MS_MAX, () =>
      deadline.abort(new GatewayError('SP_TARGET_UNREACHABLE', { detail: 'no answer in time' })),
    );
    try {
      await runtime.learn({ authorization, secrets, namespace }, deadline.signal);
    } finally {
      cancel();
    }
  }
}

const nothingKept = { save: () => Promise.resolve(), purge: () => Promise.resolve() };

const hasSecret = ({ password, clientCertificate }: Account): boolean =>
  password !== undefined || clientCertificate !== undefined;

/** A failure with what the operator may know of it. */
function told(thrown: unknown): string {
  const { message, facts, cause } = toGatewayError(thrown);
  const more = Object.entries(facts).map(([name, value]) => `${name}: ${String(value)}`);
  const below = cause instanceof Error ? [cause.message] : [];
  const hint =
    facts['serverState'] === UNKNOWN_DATABASE
      ? ['name a database with --namespace, or in the settings of the target']
      : [];
  return [message, ...more, ...below, ...hint].join('; ');
}

/** SQLSTATE 3D000. */
const UNKNOWN_DATABASE = '3D000';
