/**
 * The policy in force. A reload compiles the files anew and swaps whole, or keeps the old one and
 * says why; both are events.
 */
import { createHash } from 'node:crypto';
import { readPolicyFiles } from '#config/load.ts';
import type { Clock } from '#core/clock.ts';
import { GatewayError, toGatewayError } from '#core/errors.ts';
import type { EventLog } from '#core/events.ts';
import type { Protocol } from '#core/protocol.ts';
import type { ProtocolName } from '#core/target.ts';
import { knownDetectors } from '#masking/detectors/table.ts';
import { compilePolicies, type PolicyOptions } from '#policy/compile.ts';
import type { PolicySet } from '#policy/policy-set.ts';
import type { GatewayConfig } from './gateway.ts';

/** How often the files are looked at; links of mounted volumes defeat change notices. */
const POLL_MS = 2_000;

export const sha256Hex = (bytes: Uint8Array): string =>
  createHash('sha256').update(bytes).digest('hex');

export interface PolicyFilesOptions {
  /** What relative paths are relative to. */
  readonly directory: string;
  readonly paths: readonly string[];
  readonly compile: PolicyOptions;
}

/**
 * What policies of an installation are compiled with.
 *
 * @param config - undefined where there is none: then names of targets and issuers are not checked.
 */
export function compileOptions(
  config: GatewayConfig['config'] | undefined,
  registry: ReadonlyMap<ProtocolName, Protocol>,
): PolicyOptions {
  const named = config && {
    targets: config.targets.map(({ name }) => name),
    issuers: [...config.issuers.map(({ name }) => name), 'people'],
    purposes: config.grants.flatMap(({ purpose }) => (purpose === undefined ? [] : [purpose])),
  };
  // A protocol that no target speaks has nothing to keep.
  const used = new Set(config?.targets.map(({ protocol }) => protocol));
  return {
    sha256Hex,
    capabilities: new Map(
      [...registry].flatMap(([name, each]) => (used.has(name) ? [[name, each.capabilities]] : [])),
    ),
    known: { ...named, detectors: [...knownDetectors] },
  };
}

/** Compiles the policy files, or says everything that is wrong with them. */
export function loadPolicies(options: PolicyFilesOptions): PolicySet {
  const result = compilePolicies(
    readPolicyFiles(options.directory, options.paths),
    options.compile,
  );
  if (result.ok) return result.policy;
  const lines = result.problems.map(
    ({ file, line, column, at, message }) => `\n  ${file}:${line}:${column}: ${at}: ${message}`,
  );
  throw new GatewayError('SP_CONFIG', { detail: `policies:${lines.join('')}` });
}

export class LivePolicies {
  readonly #options: PolicyFilesOptions;
  readonly #events: EventLog;
  readonly #listeners = new Set<() => void>();
  readonly #warn: (message: string) => void;
  #policy: PolicySet;
  #seen: string;
  #cancelPoll: (() => void) | undefined;

  constructor(
    options: PolicyFilesOptions,
    parts: { readonly events: EventLog; readonly warn: (message: string) => void },
  ) {
    this.#options = options;
    this.#events = parts.events;
    this.#warn = parts.warn;
    this.#policy = loadPolicies(options);
    this.#seen = this.#fingerprint();
    this.#tell(null);
  }

  current(): PolicySet {
    return this.#policy;
  }

  onChange(callback: () => void): () => void {
    this.#listeners.add(callback);
    return () => this.#listeners.delete(callback);
  }

  /** Looks at the files now and then, until the returned function is called. */
  watch(clock: Clock): () => void {
    this.#cancelPoll ??= clock.every(POLL_MS, () => {
      if (this.#fingerprint() !== this.#seen) this.reload();
    });
    return () => this.#cancelPoll?.();
  }

  /** Loads the files again. Answers whether the new policy is in force. */
  reload(): boolean {
    this.#seen = this.#fingerprint();
    let previous: string;
    try {
      const policy = loadPolicies(this.#options);
      if (policy.version === this.#policy.version) return true;
      previous = this.#policy.version;
      this.#policy = policy;
    } catch (thrown) {
      const error = toGatewayError(thrown);
      this.#warn(error.message);
      this.#events.emit({
        type: 'policy.rejected',
        actor: 'system',
        session: undefined,
        target: undefined,
        data: { problems: error.message.split('\n').slice(0, 100) },
      });
      return false;
    }
    this.#tell(previous);
    for (const listener of this.#listeners) listener();
    return true;
  }

  #tell(previous: string | null): void {
    this.#events.emit({
      type: 'policy.loaded',
      actor: 'system',
      session: undefined,
      target: undefined,
      data: { version: this.#policy.version, rules: this.#policy.ruleIds.length, previous },
    });
  }

  /** What the files hold, so that a change is seen whatever a clock or a copy does to times. */
  #fingerprint(): string {
    try {
      const files = readPolicyFiles(this.#options.directory, this.#options.paths);
      return JSON.stringify(files);
    } catch (thrown) {
      return `unreadable: ${toGatewayError(thrown).message}`;
    }
  }
}
