/** The contract runs over every protocol that the gateway serves. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { it } from 'node:test';
import { servedProtocols } from '#core/target.ts';
import { protocols } from '#protocols/index.ts';

/** Protocols that are another one's relay with a grammar of their own: its contract holds for them. */
const dialects: ReadonlyMap<string, string> = new Map([['kubernetes', 'http']]);

it('has a contract for each registered protocol, which a configuration can name', () => {
  assert.deepEqual([...protocols.keys()].sort(), [...servedProtocols].sort());
  for (const name of protocols.keys()) {
    const wire = dialects.get(name) ?? name;
    assert.ok(existsSync(new URL(`${wire}.test.ts`, import.meta.url)), name);
  }
});
