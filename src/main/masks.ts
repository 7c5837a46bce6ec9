/** The mask sets of sessions, from the rules of the policy in force. */
import { createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { createMaskSet } from '#masking/mask-set.ts';
import type { MaskSetFactory } from '#session/ports.ts';
import type { GatewayConfig } from './gateway.ts';
import type { ConfiguredSecrets } from './ports.ts';

/**
 * The key behind keyed hashes. From the configuration when tokens must stay the same over restarts
 * and nodes, else made anew at each start.
 */
export async function maskingKey(
  { config }: GatewayConfig,
  secrets: ConfiguredSecrets,
): Promise<Uint8Array> {
  const { key } = config.masking;
  if (key === undefined) return randomBytes(32);
  const secret = await secrets.resolve(key);
  return derived(new TextEncoder().encode(secret.reveal()), 'masking');
}

const derived = (key: Uint8Array, purpose: string): Uint8Array =>
  new Uint8Array(hkdfSync('sha256', key, new Uint8Array(0), `sallyport/${purpose}`, 32));

/** Makes mask sets under one key. Equal rules under one policy share a set, and its caches. */
export function maskSetFactory(key: Uint8Array, cellBytesMax: number): MaskSetFactory {
  const scopes = new Map<string, Uint8Array>();
  const hash = (scope: string, bytes: Uint8Array): Uint8Array => {
    let scoped = scopes.get(scope);
    if (scoped === undefined) {
      scoped = derived(key, `masking/${scope}`);
      scopes.set(scope, scoped);
    }
    return createHmac('sha256', scoped).update(bytes).digest();
  };
  let version = '';
  const sets = new Map<string, ReturnType<MaskSetFactory>>();
  return (rules, policy) => {
    if (policy !== version) sets.clear();
    version = policy;
    const ids = JSON.stringify(rules.map(({ id }) => id));
    const known = sets.get(ids);
    if (known !== undefined) return known;
    const made = createMaskSet(rules, { version: `${policy}/${ids}`, hash, cellBytesMax });
    sets.set(ids, made);
    return made;
  };
}
