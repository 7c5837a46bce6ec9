/**
 * Which target a request means: the one that its listener is bound to, that its host or the
 * beginning of its path names, or that the user names (`account@target`). Two answers are an error.
 */
import { GatewayError } from '#core/errors.ts';
import type { Target } from '#core/target.ts';
import type { RequestHead } from './codec/head.ts';

/** How clients name a target, from its settings. */
export interface Names {
  readonly hosts: readonly string[];
  readonly prefix: string | undefined;
}

/** Where a request goes. */
export interface Place {
  /** Undefined when only the user can say it. */
  readonly target: string | undefined;
  /** What was taken off the path; empty when nothing was. */
  readonly prefix: string;
  /** The path that the target will see. */
  readonly path: string;
}

export class Routes {
  readonly #byHost: ReadonlyMap<string, string>;
  readonly #prefixes: readonly { readonly prefix: string; readonly target: string }[];

  /** @throws GatewayError `SP_CONFIG` when two targets have one name. */
  constructor(targets: readonly Target[], namesOf: (target: Target) => Names) {
    const byHost = new Map<string, string>();
    const prefixes = new Map<string, string>();
    for (const target of targets) {
      const { hosts, prefix } = namesOf(target);
      for (const host of hosts) claim(byHost, host, target.name);
      if (prefix !== undefined) claim(prefixes, prefix, target.name);
    }
    this.#byHost = byHost;
    this.#prefixes = [...prefixes]
      .map(([prefix, target]) => ({ prefix, target }))
      // The longest first: `/a/b/` is not of `/a/`.
      .toSorted((one, other) => other.prefix.length - one.prefix.length);
  }

  /** @param bound - the target that the listener is bound to. */
  place({ host, path }: Pick<RequestHead, 'host' | 'path'>, bound: string | undefined): Place {
    const entry = this.#prefixes.find(
      ({ prefix, target }) =>
        (bound === undefined || bound === target) && `${path}/`.startsWith(prefix),
    );
    const byHost = bound === undefined ? this.#byHost.get(hostName(host)) : undefined;
    if (entry === undefined || (byHost !== undefined && byHost !== entry.target)) {
      return { target: bound ?? byHost, prefix: '', path };
    }
    const rest = path.slice(entry.prefix.length - 1);
    return { target: entry.target, prefix: entry.prefix.slice(0, -1), path: rest || '/' };
  }
}

function claim(names: Map<string, string>, name: string, target: string): void {
  const other = names.get(name);
  if (other !== undefined) {
    throw new GatewayError('SP_CONFIG', { detail: `'${name}' names ${other} and ${target}` });
  }
  names.set(name, target);
}

/** Without the port. */
const hostName = (host: string): string =>
  host.startsWith('[') ? host : (host.split(':')[0] ?? host);

/**
 * The user that the door is asked for: `account@target`. Where no target was named, or two, the
 * name is empty: the door refuses that only once the proof has held, so names cannot be probed.
 *
 * @param user - as the client sent it.
 */
export function userOf(user: string, target: string | undefined): string {
  const at = user.lastIndexOf('@');
  if (at < 0) return `${user}@${target ?? ''}`;
  const named = user.slice(at + 1);
  return target === undefined || named === target ? user : `${user.slice(0, at)}@`;
}
