import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Outlet } from './outlet.ts';

/** A client that takes what it is sent, or has not yet, and nothing else. */
function clientThat(isBehind: () => boolean): ConstructorParameters<typeof Outlet>[0] {
  const nothing = (): void => undefined;
  return {
    peer: { address: '127.0.0.1', port: 1 },
    security: null,
    pendingBytes: 0,
    attach: nothing,
    pause: nothing,
    resume: nothing,
    end: nothing,
    destroy: nothing,
    write: () => !isBehind(),
    upgradeServer: async () => undefined,
    upgradeClient: async () => undefined,
  };
}

const tape: ConstructorParameters<typeof Outlet>[1] = {
  data: () => undefined,
  judged: () => undefined,
  mark: () => undefined,
  commit: () => undefined,
  behind: false,
  whenReady: (callback) => callback(),
};

function source(): { isPaused: boolean; pause(): void; resume(): void } {
  return {
    isPaused: false,
    pause() {
      this.isPaused = true;
    },
    resume() {
      this.isPaused = false;
    },
  };
}

describe('an outlet', () => {
  it('leaves no source waiting that it has let go', () => {
    const outlet = new Outlet(
      clientThat(() => true),
      tape,
    );
    const target = source();
    outlet.from(target);
    outlet.put(Uint8Array.of(1));
    outlet.flush();
    assert.equal(target.isPaused, true, 'the client is behind');
    outlet.from(undefined);
    assert.equal(target.isPaused, false, 'nobody would tell it later');
    outlet.drained();
    outlet.from(target);
    assert.equal(target.isPaused, false);
  });

  it('lets a new source wait while the client is behind', () => {
    const outlet = new Outlet(
      clientThat(() => true),
      tape,
    );
    outlet.put(Uint8Array.of(1));
    outlet.flush();
    const target = source();
    outlet.from(target);
    assert.equal(target.isPaused, true);
    outlet.drained();
    assert.equal(target.isPaused, false);
  });
});
