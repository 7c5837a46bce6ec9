/**
 * Waits, turn by turn of the event loop, until `holds` answers true. The test runner's own time-out
 * is the bound, so that a slow machine fails no test.
 */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}
