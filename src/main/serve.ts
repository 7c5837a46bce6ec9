/** `sallyport serve`: the gateway in the foreground. */
import { createLog } from '#ops/log.ts';
import { startGateway } from './gateway.ts';
import { loadGatewayConfig } from './load.ts';
import { untilSignal } from './signals.ts';

/** Runs until a signal; prints one line `ready {…}` on standard output when it takes connections. */
export async function serve(path: string): Promise<void> {
  const gateway = await startGateway(loadGatewayConfig(path), createLog());
  const listeners = Object.fromEntries(gateway.listeners);
  process.stdout.write(`ready ${JSON.stringify({ listeners, api: gateway.apiPort })}\n`);
  await untilSignal(gateway);
}
