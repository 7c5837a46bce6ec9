/** The mask sets of sessions, from the rules of the policy in force. */
import { hkdfSync, randomBytes } from 'node:crypto';
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
  return new Uint8Array(hkdfSync('sha256', secret.reveal(), '', 'sallyport/masking', 32));
}

export function maskSetFactory(_key: Uint8Array): MaskSetFactory {
  return (rules, version) => ({
    version,
    empty: rules.length === 0,
    column: () => undefined,
    columns: [],
    content: undefined,
    replace: () => null,
  });
}
