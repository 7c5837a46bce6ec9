import type { CancelRegistry } from '#core/protocol.ts';

/** Cancel keys of the live sessions of this process. A key that nobody was given does nothing. */
export function createCancelRegistry(): CancelRegistry {
  const cancels = new Map<string, () => void>();
  return {
    add(key, cancel) {
      cancels.set(key, cancel);
      return () => {
        if (cancels.get(key) === cancel) cancels.delete(key);
      };
    },
    fire(key) {
      cancels.get(key)?.();
    },
  };
}
