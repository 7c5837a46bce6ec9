/**
 * Opens connections to targets. The only argument that names where to is an authorization, so that
 * nothing reaches a host that no grant names; and what that name resolves to is checked at the
 * moment of dialling, so that a name cannot be turned into the host's metadata service.
 */
import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';
import type { Clock } from '#core/clock.ts';
import { GatewayError } from '#core/errors.ts';
import type { Limits } from '#core/limits.ts';
import { TargetAuthorization } from '#core/permit.ts';
import type { Target } from '#core/target.ts';
import type { Wire } from '#core/wire.ts';
import { SocketWire } from '#wire/socket-wire.ts';

/** Link-local addresses, and the metadata services of clouds that are elsewhere. */
const forbidden = new BlockList();
forbidden.addSubnet('169.254.0.0', 16, 'ipv4');
forbidden.addAddress('100.100.100.200', 'ipv4');
forbidden.addAddress('192.0.0.192', 'ipv4');
forbidden.addSubnet('fe80::', 10, 'ipv6');
forbidden.addAddress('fd00:ec2::254', 'ipv6');
forbidden.addAddress('fd20:ce::254', 'ipv6');
// The same IPv4 networks as a NAT64 gateway would reach them.
forbidden.addSubnet('64:ff9b::a9fe:0', 112, 'ipv6');

/** Whether an address belongs to the network's own plumbing rather than to a target. */
export function isLinkLocal(address: string): boolean {
  const plain = address.split('%')[0] ?? address;
  return forbidden.check(plain, isIP(plain) === 6 ? 'ipv6' : 'ipv4');
}

export interface DialParts {
  readonly clock: Clock;
  readonly limits: Pick<Limits, 'dialMsMax'>;
}

/**
 * Connects to the target of `authorization`. Each of its addresses is tried, within `dialMsMax`
 * together. TLS is the protocol's to start.
 *
 * @throws GatewayError `SP_TARGET_UNREACHABLE`, or the signal's reason.
 */
export async function dialTarget(
  authorization: TargetAuthorization,
  parts: DialParts,
  signal: AbortSignal,
): Promise<Wire> {
  if (!TargetAuthorization.isGenuine(authorization)) {
    throw new GatewayError('SP_INTERNAL', { detail: 'a dial without an authorization' });
  }
  const { target } = authorization;
  const until = new AbortController();
  const cancel = parts.clock.after(parts.limits.dialMsMax, () =>
    until.abort(unreachable(target, 'no answer in time')),
  );
  try {
    const either = AbortSignal.any([signal, until.signal]);
    const addresses = await abortable(resolve(target), either);
    return await connectAny(addresses, { target, parts }, either);
  } finally {
    cancel();
  }
}

async function resolve(target: Target): Promise<readonly string[]> {
  const { host } = target.address;
  let found: readonly { readonly address: string }[];
  try {
    found = await lookup(host, { all: true });
  } catch (thrown) {
    throw unreachable(target, 'its name cannot be resolved', thrown);
  }
  const allowed = mayBeLinkLocal(target.settings)
    ? found
    : found.filter(({ address }) => !isLinkLocal(address));
  if (allowed.length === 0) {
    throw unreachable(target, 'its address is link-local; see the setting allowLinkLocal');
  }
  return allowed.map(({ address }) => address);
}

const mayBeLinkLocal = (settings: unknown): boolean =>
  typeof settings === 'object' &&
  settings !== null &&
  'allowLinkLocal' in settings &&
  settings.allowLinkLocal === true;

/** One after the other, each with its share of the time, so that a dead address cannot use it up. */
async function connectAny(
  addresses: readonly string[],
  { target, parts }: { readonly target: Target; readonly parts: DialParts },
  signal: AbortSignal,
): Promise<Wire> {
  let failure = unreachable(target, 'it has no address');
  for (const [index, host] of addresses.entries()) {
    const share = new AbortController();
    const shareMs = parts.limits.dialMsMax / (addresses.length - index + 1);
    const isLast = index === addresses.length - 1;
    const cancel = isLast
      ? () => {}
      : parts.clock.after(shareMs, () => share.abort(unreachable(target, 'no answer in time')));
    try {
      const either = AbortSignal.any([signal, share.signal]);
      return await SocketWire.dial({ host, port: target.address.port }, either);
    } catch (thrown) {
      signal.throwIfAborted();
      failure =
        thrown instanceof GatewayError ? thrown : unreachable(target, systemCode(thrown), thrown);
    } finally {
      cancel();
    }
  }
  throw failure;
}

/** Name resolution cannot be cancelled, but it need not be waited for. */
function abortable<Value>(work: Promise<Value>, signal: AbortSignal): Promise<Value> {
  return new Promise((resolvePromise, reject) => {
    const aborted = (): void => reject(signal.reason);
    if (signal.aborted) aborted();
    signal.addEventListener('abort', aborted, { once: true });
    work.then(resolvePromise, reject).finally(() => signal.removeEventListener('abort', aborted));
  });
}

const systemCode = (thrown: unknown): string =>
  thrown instanceof Error && 'code' in thrown ? String(thrown.code) : 'it cannot be reached';

function unreachable(target: Target, detail: string, cause?: unknown): GatewayError {
  const { host, port } = target.address;
  return new GatewayError('SP_TARGET_UNREACHABLE', {
    detail,
    facts: { target: target.name, host, port },
    cause,
  });
}
