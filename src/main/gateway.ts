/**
 * Puts the rooms together: from a checked configuration to a running gateway, in the order in which
 * they depend on each other, and back. Whatever fails on the way up takes down what was up.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { Approvals } from '#approval/approvals.ts';
import type { LoadedConfig } from '#config/load.ts';
import { systemClock } from '#core/clock.ts';
import type { EventDraft, EventLog } from '#core/events.ts';
import type { Protocol } from '#core/protocol.ts';
import { systemRandom } from '#core/random.ts';
import type { ProtocolName, Target } from '#core/target.ts';
import { QueuedEventLog } from '#events/log.ts';
import { Authenticator } from '#identity/authenticator.ts';
import type { GrantConfig, IssuerConfig, PersonConfig } from '#identity/config.ts';
import { Credentials } from '#identity/credentials.ts';
import { Grants } from '#identity/grants.ts';
import { LockSet } from '#identity/locks.ts';
import { SshCertificates } from '#identity/ssh-certificates.ts';
import { TokenVerifier } from '#identity/tokens.ts';
import { chainOf, type OperatorLog } from '#ops/log.ts';
import { protocols } from '#protocols/index.ts';
import type { DirectoryArchive } from '#recording/archive.ts';
import { loadSigningKey } from '#recording/keys.ts';
import { Recorder } from '#recording/recorder.ts';
import type { AdmissionParts } from '#session/admission.ts';
import { createCancelRegistry } from '#session/cancels.ts';
import { refuse } from '#session/gate.ts';
import { LiveSessions } from '#session/live.ts';
import { Pasts } from '#session/past.ts';
import { openEventWriter } from '#store/event-writer.ts';
import { openStore, type Store } from '#store/store.ts';
import { openArchive } from './archive.ts';
import { maskingKey, maskSetFactory } from './masks.ts';
import { leaveBootstrapToken, startMaintenance } from './maintenance.ts';
import { compileOptions, LivePolicies, type PolicyFilesOptions, sha256Hex } from './policies.ts';
import { checkSecrets, ConfiguredSecrets, createUpstream, gatewayKey } from './ports.ts';
import { remembering } from './seen-identities.ts';
import { serveApi } from './serve-api.ts';
import { serveProtocols } from './serve-protocols.ts';
import { buildTarget } from './targets.ts';
import { VERSION } from './version.ts';

export type GatewayConfig = LoadedConfig<IssuerConfig, GrantConfig, PersonConfig>;

/** A running gateway. */
export interface Gateway {
  /** Ports by listener name, as bound. */
  readonly listeners: ReadonlyMap<string, number>;
  readonly apiPort: number;
  readonly store: Store;
  readonly events: EventLog;
  readonly credentials: Credentials;
  readonly services: Services;
  /** Loads the policies again; answers whether what is on disk is in force. */
  reload(): boolean;
  /** Lets nobody in any more, waits for sessions up to the limit, ends the rest, stops. */
  drain(): Promise<void>;
}

async function assemble(
  services: Services,
  registry: ReadonlyMap<ProtocolName, Protocol>,
  stack: Stack,
): Promise<Gateway> {
  const { loaded, events, live, policies, store, credentials, drained } = services;
  await leaveBootstrapToken(services);
  stack.push('maintenance', startMaintenance(services));
  const apiPort = await serveApi(services, stack);
  const listeners = await serveProtocols(services, registry, stack);
  await events.commit(
    lifeEvent('gateway.started', {
      version: VERSION,
      config: sha256Hex(encoder.encode(JSON.stringify(loaded.config))),
    }),
  );
  let draining: Promise<void> | undefined;
  const drain = async (): Promise<void> => {
    drained.flag = true;
    await Promise.all([...listeners.values()].map((listener) => listener.drain()));
    live.endAll(refuse('SP_DRAINING', { endsSession: true }));
    await live.empty();
    await events.commit(lifeEvent('gateway.stopped', { reason: 'drained' })).catch(() => undefined);
    await stack.unwind();
  };
  return {
    listeners: new Map([...listeners].map(([name, { port }]) => [name, port])),
    apiPort,
    store,
    events,
    credentials,
    services,
    reload: () => policies.reload(),
    drain: () => (draining ??= drain()),
  };
}

const encoder = new TextEncoder();

const lifeEvent = (
  type: 'gateway.started' | 'gateway.stopped',
  data: Readonly<Record<string, unknown>>,
): EventDraft => ({ type, actor: 'system', session: undefined, target: undefined, data });

/** What is up, in order; taken down in reverse. */
export class Stack {
  readonly #down: { readonly name: string; readonly run: () => Promise<void> | void }[] = [];
  readonly #log: OperatorLog;

  constructor(log: OperatorLog) {
    this.#log = log;
  }

  push(name: string, run: () => Promise<void> | void): void {
    this.#down.push({ name, run });
  }

  /** Takes everything down; what fails is logged and the rest still goes. */
  async unwind(): Promise<void> {
    for (let each = this.#down.pop(); each !== undefined; each = this.#down.pop()) {
      try {
        await each.run();
      } catch (thrown) {
        this.#log.error(`${each.name} did not stop cleanly`, { error: chainOf(thrown) });
      }
    }
  }
}

/** @param registry - the protocols that this gateway speaks. */
export async function startGateway(
  loaded: GatewayConfig,
  log: OperatorLog,
  registry: ReadonlyMap<ProtocolName, Protocol> = protocols,
): Promise<Gateway> {
  const stack = new Stack(log);
  try {
    return await assemble(await openServices(loaded, registry, log, stack), registry, stack);
  } catch (thrown) {
    await stack.unwind();
    throw thrown;
  }
}

/** State: the database, and the events in it. */
async function openState(
  loaded: GatewayConfig,
  log: OperatorLog,
  stack: Stack,
): Promise<{ store: Store; events: QueuedEventLog }> {
  const { config, directory } = loaded;
  const path = resolve(directory, config.store.file);
  const { historyDeedsMax } = config.limits;
  const store = await openStore({ path, clock: systemClock, thread: 'own', historyDeedsMax });
  stack.push('store', () => store.close());
  const file = resolve(directory, config.events.file);
  const writer = await openEventWriter({ path, file });
  const events = new QueuedEventLog({
    writer,
    clock: systemClock,
    random: systemRandom,
    queueMax: config.limits.eventQueueMax,
    onTrouble: (error) => log.error('events cannot be stored', { error: chainOf(error) }),
  });
  stack.push('events', () => events.close());
  return { store, events };
}

/** Which of its own names the gateway says in recordings: stays the same over restarts. */
function gatewayName(home: string): string {
  const path = join(home, 'gateway-id');
  if (!existsSync(path)) {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const name = `${hostname()}-${randomBytes(4).toString('hex')}`;
    writeFileSync(path, name, { mode: 0o600 });
  }
  return readFileSync(path, 'utf8').trim();
}

/** Everything that admissions and the API work with. */
export interface Services {
  readonly loaded: GatewayConfig;
  readonly log: OperatorLog;
  readonly store: Store;
  readonly events: QueuedEventLog;
  readonly targets: ReadonlyMap<string, Target>;
  readonly grants: Grants;
  readonly locks: LockSet;
  readonly credentials: Credentials;
  readonly tokens: TokenVerifier;
  readonly certificates: SshCertificates;
  readonly authenticator: Authenticator;
  readonly policies: LivePolicies;
  readonly approvals: Approvals;
  readonly live: LiveSessions;
  readonly pasts: Pasts;
  readonly recorder: Recorder;
  readonly admission: AdmissionParts;
  readonly archive: DirectoryArchive;
  readonly drained: { flag: boolean };
}

function checkedTargets(
  loaded: GatewayConfig,
  registry: ReadonlyMap<ProtocolName, Protocol>,
): Map<string, Target> {
  const schemas = new Map([...registry].map(([name, protocol]) => [name, protocol.settings]));
  return new Map(
    loaded.config.targets.map((target) => [
      target.name,
      buildTarget(target, loaded.directory, schemas),
    ]),
  );
}

/** Who may come in, and what stops them. */
type IdentityServices = Pick<
  Services,
  'grants' | 'locks' | 'credentials' | 'tokens' | 'certificates' | 'authenticator'
>;

async function openIdentity(
  loaded: GatewayConfig,
  { store, events }: Pick<Services, 'store' | 'events'>,
): Promise<IdentityServices> {
  const { config } = loaded;
  const clock = systemClock;
  const random = systemRandom;
  const locks = await LockSet.load({ store: store.locks, events, clock, random });
  const lifeMsMax = config.credentials.lifeMax;
  const credentials = new Credentials({ store: store.credentials, clock, random, lifeMsMax });
  const tokens = new TokenVerifier({ issuers: config.issuers, clock, fetch });
  const { spentTokens: spent } = store;
  const { people } = config;
  const key = () => gatewayKey(loaded, 'ssh-user-ca');
  const certificates = new SshCertificates({ key, clock, random });
  const parts = { tokens, credentials, spent, people, clock, certificates };
  const authenticator = new Authenticator(parts);
  const grants = new Grants(config.grants);
  return { grants, locks, credentials, tokens, certificates, authenticator };
}

async function openServices(
  loaded: GatewayConfig,
  registry: ReadonlyMap<ProtocolName, Protocol>,
  log: OperatorLog,
  stack: Stack,
): Promise<Services> {
  const { config } = loaded;
  const targets = checkedTargets(loaded, registry);
  const { store, events } = await openState(loaded, log, stack);
  const pasts = openPasts(loaded, store, log);
  stack.push('pasts', () => pasts.close());
  const identity = await openIdentity(loaded, { store, events });
  const { locks } = identity;
  const policies = new LivePolicies(policyOptions(loaded, registry), {
    events,
    warn: (message) => log.warn('the changed policy is not valid; the old one stays', { message }),
  });
  stack.push('policies', policies.watch(systemClock));
  const approvals = new Approvals({
    clock: systemClock,
    random: systemRandom,
    sha256Hex,
    events,
    store: store.holds,
    limits: config.limits,
    locks,
    channels: [],
    warn: (message, facts) => log.warn(message, facts),
  });
  await approvals.start();
  stack.push('approvals', () => approvals.stop());
  const live = new LiveSessions({ locks, policies, clock: systemClock, events });
  const recorder = await openRecorder(loaded, { live, events, store });
  stack.push('recorder', () => recorder.close());
  const archive = openArchive(loaded, (draft) => events.commit(draft));
  const drained = { flag: false };
  const state = { loaded, log, store, pasts, events, targets, drained };
  const services = { ...state, ...identity, policies, approvals, live, recorder, archive };
  return { ...services, admission: await admissionOf(services) };
}

const openPasts = ({ config }: GatewayConfig, { history }: Store, log: OperatorLog): Pasts =>
  new Pasts({
    store: history,
    clock: systemClock,
    limits: config.limits,
    warn: (message, thrown) => log.warn(message, { error: chainOf(thrown) }),
  });

async function admissionOf(services: Omit<Services, 'admission'>): Promise<AdmissionParts> {
  const { loaded, log, store, events, targets, grants, locks, drained } = services;
  const { limits } = loaded.config;
  const secrets = new ConfiguredSecrets(loaded.directory, process.env);
  checkSecrets(targets, secrets);
  return {
    authenticator: remembering(services.authenticator, {
      identities: store.identities,
      clock: systemClock,
      warn: (thrown) => log.warn('an identity is not remembered', { error: chainOf(thrown) }),
    }),
    directory: {
      target: (name) => targets.get(name),
      access: (identity, target, wish, now) => grants.resolve(identity, target, wish, now),
    },
    locks,
    policies: services.policies,
    approvals: services.approvals,
    holds: services.approvals,
    recorder: services.recorder,
    events,
    upstream: createUpstream(loaded, secrets),
    live: services.live,
    pasts: services.pasts,
    cancels: createCancelRegistry(),
    maskSet: maskSetFactory(await maskingKey(loaded, secrets), limits.cellBytesMax),
    clock: systemClock,
    random: systemRandom,
    limits,
    draining: () => drained.flag,
  };
}

export function policyOptions(
  { config, directory }: GatewayConfig,
  registry: ReadonlyMap<ProtocolName, Protocol>,
): PolicyFilesOptions {
  return {
    directory,
    paths: config.policies,
    compile: compileOptions(config, registry),
  };
}

function openRecorder(
  { config, directory }: GatewayConfig,
  parts: {
    readonly live: LiveSessions;
    readonly events: EventLog;
    readonly store: Store;
  },
): Promise<Recorder> {
  const { recordings } = config;
  return Recorder.open({
    directory: resolve(directory, recordings.directory),
    signingKey: loadSigningKey(resolve(directory, recordings.keys)),
    recipients: recordings.recipients,
    gateway: gatewayName(directory),
    reserveBytes: recordings.reserve,
    limits: config.limits,
    clock: systemClock,
    random: systemRandom,
    events: parts.events,
    index: parts.store.recordings,
    onFailure: (session, error) => parts.live.end(session, refuse(error.code)),
  });
}
