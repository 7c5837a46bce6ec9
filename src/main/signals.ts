import type { Gateway } from './gateway.ts';

/**
 * Waits for the end: the first SIGINT or SIGTERM drains, a second one leaves at once; SIGHUP loads
 * the policies again.
 */
export async function untilSignal(gateway: Gateway): Promise<void> {
  process.on('SIGHUP', () => gateway.reload());
  await new Promise<void>((resolve) => {
    const first = (): void => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) {
        process.off(signal, first);
        process.once(signal, () => process.exit(130));
      }
      resolve();
    };
    process.on('SIGINT', first);
    process.on('SIGTERM', first);
  });
  await gateway.drain();
}
