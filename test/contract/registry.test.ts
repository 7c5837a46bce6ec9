/** The contract runs over every protocol that the gateway serves. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { it } from 'node:test';
import { servedProtocols } from '#core/target.ts';
import { protocols } from '#protocols/index.ts';

it('has a contract for each registered protocol, which a configuration can name', () => {
  assert.deepEqual([...protocols.keys()].sort(), [...servedProtocols].sort());
  for (const name of protocols.keys()) {
    assert.ok(existsSync(new URL(`${name}.test.ts`, import.meta.url)), name);
  }
});
