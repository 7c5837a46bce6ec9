/**
 * Puts the rooms together: from a checked configuration to a running gateway, in the order in which
 * they depend on each other, and back. Whatever fails on the way up takes down what was up.
 */
import { createHash, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { Approvals } from '#approval/approvals.ts';
import type { LoadedConfig } from '#config/load.ts';
import { systemClock } from '#core/clock.ts';
import { GatewayError } from '#core/errors.ts';
import type { EventLog } from '#core/events.ts';
import type { Capabilities, Protocol, ProtocolRuntime } from '#core/protocol.ts';
import { systemRandom } from '#core/random.ts';
import type { ProtocolName, Target } from '#core/target.ts';
import { QueuedEventLog } from '#events/log.ts';
import { Authenticator } from '#identity/authenticator.ts';
import type { GrantConfig, IssuerConfig, PersonConfig } from '#identity/config.ts';
import { Credentials } from '#identity/credentials.ts';
import { Grants } from '#identity/grants.ts';
import { LockSet } from '#identity/locks.ts';
import { TokenVerifier } from '#identity/tokens.ts';
import { chainOf, type OperatorLog } from '#ops/log.ts';
import { protocols } from '#protocols/index.ts';
import { loadSigningKey } from '#recording/keys.ts';
import { Recorder } from '#recording/recorder.ts';
import type { AdmissionParts } from '#session/admission.ts';
import { createCancelRegistry } from '#session/cancels.ts';
import { refuse } from '#session/gate.ts';
import { LiveSessions } from '#session/live.ts';
import { openEventWriter } from '#store/event-writer.ts';
import { openStore, type Store } from '#store/store.ts';
import { buildTarget } from './targets.ts';
import { LivePolicies, sha256Hex } from './policies.ts';

export type GatewayConfig = LoadedConfig<IssuerConfig, GrantConfig, PersonConfig>;

/** A running gateway. */
export interface Gateway {
  /** Ports by listener name, as bound. */
  readonly listeners: ReadonlyMap<string, number>;
  readonly apiPort: number;
  readonly store: Store;
  readonly events: EventLog;
  readonly credentials: Credentials;
  /** Loads the policies again; answers whether what is on disk is in force. */
  reload(): boolean;
  /** Lets nobody in any more, waits for sessions up to the limit, ends the rest, stops. */
  drain(): Promise<void>;
}

/** What is up, in order; taken down in reverse. */
class Stack {
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

export async function startGateway(loaded: GatewayConfig, log: OperatorLog): Promise<Gateway> {
  const stack = new Stack(log);
  try {
    return await assemble(loaded, log, stack);
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
  const store = await openStore({ path, clock: systemClock, thread: 'own' });
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
