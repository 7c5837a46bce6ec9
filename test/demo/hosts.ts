/**
 * The part of the story with a host: a real `sshd` and OpenSSH's own client, with
 * `policies/operator.yaml` as it ships. What the host itself was told to run is written down there.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { type ClientAccess, runSsh, startSshd, type TestHost } from '../support/openssh.ts';
import { review, say, step } from './stage.ts';

const policy = fileURLToPath(new URL('../../policies/operator.yaml', import.meta.url));

interface Stage {
  readonly host: TestHost;
  readonly gateway: TestGateway;
  readonly access: ClientAccess;
  readonly seen: Set<string>;
}

/** Plays it where a server can be; says loudly where it cannot. */
export async function playHosts(): Promise<void> {
  const isReady = existsSync('/usr/sbin/sshd') && existsSync('/run/sshd');
  if (process.getuid?.() !== 0 && !isReady) {
    console.log(
      "\n!! THE HOST'S PART WAS NOT PLAYED: no sshd is here, and only root can install it",
    );
    return;
  }
  const host = await startSshd({ isLogging: true });
  try {
    const gateway = await startGateway({
      targets: [
        {
          name: 'web',
          protocol: 'ssh',
          host: host.host,
          port: host.port,
          settings: { hostKeys: [host.hostKey] },
          accounts: [
            { name: 'deploy', username: host.username, clientKey: `file:${host.userKey}` },
          ],
        },
      ],
      policies: { 'operator.yaml': readFileSync(policy, 'utf8') },
    });
    try {
      const access = {
        port: gateway.ports['ssh'] ?? 0,
        user: 'deploy@web',
        secret: await gateway.job('nightly'),
        directory: host.directory,
      };
      await play({ host, gateway, access, seen: new Set() });
    } finally {
      await gateway.stop();
    }
  } finally {
    await host.stop();
  }
}

async function play(stage: Stage): Promise<void> {
  const orders = join(stage.host.work, 'orders');
  mkdirSync(orders);
  writeFileSync(join(orders, 'today'), 'an order\n');
  await step('The same job looks at a host: what only reads runs at once', () => looks(stage));
  await step('It starts a container of an image that nobody listed: held, and denied', () =>
    refused(stage, 'docker run -d ghcr.io/evil/miner:1'),
  );
  await step('It removes the orders, however it is spelt: held, and denied', async () => {
    const code = Buffer.from(`rm -rf ${orders}`).toString('base64');
    for (const text of [
      `rm -rf ${orders}`,
      `x=rm; "$x" -rf ${orders}`,
      `find ${orders} -delete`,
      `echo ${code} | base64 -d | sh`,
    ]) {
      await refused(stage, text);
      assert.ok(existsSync(join(orders, 'today')), 'the orders are gone');
    }
  });
  await step('It removes one old file: held, and a reviewer approves exactly that', () =>
    approved(stage, orders),
  );
}

async function looks({ access }: Stage): Promise<void> {
  const done = await runSsh(access, ['df -P / | tail -n 1; uname -s']);
  say(`ssh deploy@web 'df -P / | tail -n 1; uname -s'\n      → ${done.stdout.toString().trim()}`);
  assert.equal(done.status, 0, done.stderr);
}

async function refused({ host, gateway, access, seen }: Stage, text: string): Promise<void> {
  const running = runSsh(access, [text]);
  await review(gateway, seen, 'deny');
  const { status, stderr } = await running;
  say(
    `ssh deploy@web ${text}\n      → ${status}: ${stderr.split('\n').find((line) => line.includes('SP_'))}`,
  );
  assert.equal(status, 126);
  assert.ok(!host.commands().includes(text), 'the host was told to run it');
}

async function approved({ host, gateway, access, seen }: Stage, orders: string): Promise<void> {
  const old = join(orders, 'old');
  writeFileSync(old, 'an old order\n');
  const text = `rm ${old}`;
  const running = runSsh(access, [text]);
  const shown = await review(gateway, seen, 'approve');
  assert.ok(shown.includes(text), shown);
  const { status } = await running;
  say(`ssh deploy@web ${text}\n      → ${status}`);
  assert.equal(status, 0);
  assert.ok(!existsSync(old));
  assert.ok(host.commands().includes(text));
}
