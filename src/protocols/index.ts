/** The registry: a protocol is its folder and one line here. */
import type { Protocol } from '#core/protocol.ts';
import type { ProtocolName } from '#core/target.ts';
import { http } from './http/index.ts';
import { kubernetes } from './kubernetes/index.ts';
import { postgres } from './postgres/index.ts';
import { ssh } from './ssh/index.ts';

export const protocols: ReadonlyMap<ProtocolName, Protocol> = new Map<ProtocolName, Protocol>([
  [postgres.name, postgres],
  [ssh.name, ssh],
  [http.name, http],
  [kubernetes.name, kubernetes],
]);
