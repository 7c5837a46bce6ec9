/**
 * Memory outside the heap that is not needed any more. The collector counts it, but does not see
 * how soon it is free: left to it, bulk alone makes it collect the whole heap every few megabytes.
 */

/** Below this the collector is cheaper. */
const RELEASE_BYTES_MIN = 4_096;

/** Gives up the memory of `bytes`, if it is all theirs. A view of it is empty from now on. */
export function release(bytes: Uint8Array): void {
  const { buffer } = bytes;
  if (bytes.length < RELEASE_BYTES_MIN || buffer.byteLength !== bytes.length) return;
  if (buffer instanceof ArrayBuffer) buffer.transfer(0);
}
