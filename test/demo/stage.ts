/** How the story is told, and what a reviewer does in it. */
import assert from 'node:assert/strict';
import { newHold } from '../e2e/shop.ts';
import type { TestGateway } from '../support/gateway.ts';

/** Says what came of something. */
export const say = (text: string): void => console.log(`    ${text}`);

/** One step, under its title. */
export async function step(title: string, play: () => Promise<void>): Promise<void> {
  console.log(`\n== ${title}`);
  await play();
}

/** Decides about what waits, and is new to `seen`; answers what the reviewer was shown. */
export async function review(
  gateway: TestGateway,
  seen: Set<string>,
  decision: 'approve' | 'deny',
): Promise<string> {
  const rita = await gateway.person('people/rita', ['dba']);
  const { id, digest, text } = await newHold(gateway, rita, seen);
  const path = `/v1/holds/${id}/${decision}`;
  const { status } = await gateway.call('POST', path, rita, { digest });
  say(`rita is shown: ${text.split('\n', 1)[0]} …, and says ${decision}`);
  assert.equal(status, 200);
  return text;
}
