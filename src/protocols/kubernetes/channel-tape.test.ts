import assert from 'node:assert/strict';
import { it } from 'node:test';
import { SshChannels } from '#recording/ssh-channels.ts';
import { ChannelTape } from './channel-tape.ts';

it('records what readers of recordings read back, however large', () => {
  const channels = new SshChannels();
  const told: string[] = [];
  const sums = { input: 0, output: 0, errors: 0 };
  const tape = new ChannelTape(
    (direction, bytes) =>
      channels.push(direction, bytes, (event) => {
        if (event.kind === 'started') told.push(event.what);
        else if (event.kind === 'resized') told.push(`${event.columns}x${event.rows}`);
        else if (event.kind === 'exited') told.push(`exit ${event.status}`);
        else sums[event.kind] += event.bytes.length;
      }),
    0,
    'session',
  );
  tape.terminal();
  tape.started('kubectl exec --namespace=app web -- ls');
  tape.resized({ columns: 100, rows: 30 });
  tape.input(Buffer.alloc(100_000));
  tape.output(Buffer.alloc(200_001), false);
  tape.output(Buffer.from('oh'), true);
  tape.output(new Uint8Array(0), false);
  tape.exited(7);
  tape.closed();
  assert.deepEqual(told, ['80x24', 'kubectl exec --namespace=app web -- ls', '100x30', 'exit 7']);
  assert.deepEqual(sums, { input: 100_000, output: 200_001, errors: 2 });
  assert.equal(channels.isLost, false);
});
