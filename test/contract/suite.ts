/**
 * What every protocol must hold, whatever it speaks. A protocol comes with an adapter: a real
 * target
 * behind a tap, a client that speaks its words, and five commands. The suite runs the assembled
 * gateway, with real recordings, real state and a real issuer.
 */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import type { Protocol } from '#core/protocol.ts';
import { asEpochMs, asId } from '#core/ids.ts';
import type { ProtocolName } from '#core/target.ts';
import { type Gateway, type GatewayConfig, startGateway } from '../../src/main/gateway.ts';
import { gatewayConfig } from '../support/gateway-config.ts';
import { startIssuer, type TestIssuer } from '../support/issuer.ts';
import { startTap, type Tap } from './tap.ts';

export interface Answer {
  readonly ok: boolean;
  /** What the client saw: rows, lines, or the error's words. */
  readonly text: string;
  /** The protocol's own error code. */
  readonly code: string;
}

export interface ContractClient {
  run(command: string): Promise<Answer>;
  /** Resolves when the connection is gone. */
  readonly closed: Promise<void>;
  /** Asks, in the protocol's own way, that the running command stops. */
  cancel(): Promise<void>;
  close(): void;
}

export interface ContractTarget {
  readonly host: string;
  readonly port: number;
  /** The target's settings and its account's entry, where a protocol cannot do without. */
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly account?: Readonly<Record<string, string>>;
  /** What the target was asked, where the bytes on the wire do not show it. */
  received?(): string;
  stop(): Promise<void>;
}

export interface Adapter {
  readonly protocol: Protocol;
  startTarget(): Promise<ContractTarget>;
  /** Rejects with an error whose `code` is the protocol's own when the login is refused. */
  login(port: number, user: string, secret: string): Promise<ContractClient>;
  readonly account: string;
  readonly commands: {
    /** Allowed; the answer holds `answer`. */
    readonly allowed: { readonly text: string; readonly answer: string };
    /** Denied by the policy below; the bytes that must not reach the target. */
    readonly denied: { readonly text: string; readonly bytes: string };
    /** Held by the policy below. */
    readonly held: { readonly text: string; readonly bytes: string };
    /** Allowed; its answer at the target holds `canary`. */
    readonly masked: { readonly text: string; readonly canary: string };
    /** Allowed; does not answer by itself. */
    readonly slow: string;
  };
  /** Denied and refused logins, in the protocol's own codes. */
  readonly codes: { readonly denied: string; readonly login: string };
  /** Bytes before login that are no such protocol. */
  readonly garbage: readonly Uint8Array[];
  readonly policy: string;
}

interface World {
  readonly gateway: Gateway;
  readonly tap: Tap;
  /** Whether the target was sent this. */
  wasSent(bytes: string): boolean;
  readonly issuer: TestIssuer;
  readonly home: string;
  port(): number;
  login(subject?: string): Promise<ContractClient>;
  /** Closes every client that a test left open. */
  closeClients(): Promise<void>;
  review(decision: 'approve' | 'deny'): Promise<void>;
  stop(): Promise<void>;
}

async function startWorld(adapter: Adapter): Promise<World> {
  const home = mkdtempSync(join(tmpdir(), 'sp-contract-'));
  const target = await adapter.startTarget();
  const tap = await startTap(target);
  const issuer = await startIssuer();
  mkdirSync(join(home, 'policies'));
  writeFileSync(join(home, 'policies', 'policy.yaml'), adapter.policy);
  const loaded = configuration(adapter, { home, tapPort: tap.port, issuer, target });
  const registry: ReadonlyMap<ProtocolName, Protocol> = new Map([
    [adapter.protocol.name, adapter.protocol],
  ]);
  const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const gateway = await startGateway(loaded, silent, registry);
  const port = (): number => gateway.listeners.get('door') ?? 0;
  const token = (subject: string, claims: object = {}) =>
    issuer.mint({ sub: subject, aud: 'sallyport', team: 'ci', ...claims });
  const clients = new Set<ContractClient>();
  return {
    gateway,
    tap,
    wasSent: (bytes) => (target.received?.() ?? tap.received().toString()).includes(bytes),
    issuer,
    home,
    port,
    async login(subject = 'job') {
      const user = `${adapter.account}@here`;
      const client = await adapter.login(port(), user, await token(subject));
      clients.add(client);
      return client;
    },
    async closeClients() {
      for (const client of clients) client.close();
      await Promise.all([...clients].map(({ closed }) => closed));
      clients.clear();
      await until(() => (gateway.services.live.size === 0 ? true : undefined));
    },
    review: async (decision) => review(gateway, decision),
    async stop() {
      await gateway.drain();
      await tap.stop();
      await target.stop();
      await issuer.stop();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

function configuration(
  adapter: Adapter,
  world: {
    readonly home: string;
    readonly tapPort: number;
    readonly issuer: TestIssuer;
    readonly target: ContractTarget;
  },
): GatewayConfig {
  return gatewayConfig({
    home: world.home,
    issuer: world.issuer,
    protocol: adapter.protocol.name,
    listener: { name: 'door' },
    target: {
      name: 'here',
      address: { host: '127.0.0.1', port: world.tapPort },
      accounts: [{ name: '*', ...world.target.account }],
      settings: world.target.settings ?? {},
    },
    limits: { loginMsMax: 2_000, strangersPerAddressMax: 30 },
  });
}

/** A person decides the oldest hold, once there is one. */
async function review(gateway: Gateway, decision: 'approve' | 'deny'): Promise<void> {
  const { approvals } = gateway.services;
  const hold = await until(() => approvals.list()[0]);
  await approvals.review(
    hold.id,
    {
      id: asId('people/rita'),
      kind: 'human',
      issuer: 'people',
      subject: 'rita',
      displayName: 'Rita',
      groups: [],
      roles: ['reviewer'],
      owner: undefined,
      onBehalfOf: undefined,
      claims: {},
      expiresAt: asEpochMs(Date.now() + 60_000),
    },
    { decision, reason: 'a test' },
  );
}

/** What `probe` gives, once it gives something. */
async function until<Value>(probe: () => Value | undefined): Promise<Value> {
  for (let attempt = 0; attempt < 500; attempt += 1) {
    const value = probe();
    if (value !== undefined) return value;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('it did not come to that');
}

/** Runs the suite over one protocol. */
export function contract(adapter: Adapter): void {
  describe(`contract: ${adapter.protocol.name}`, { concurrency: false }, () => {
    let world: World;
    before(async () => {
      world = await startWorld(adapter);
    });
    after(() => world.stop());
    afterEach(() => world.closeClients());
    loginAndDenial(adapter, () => world);
    holdsAndRecordings(adapter, () => world);
    failuresAndControls(adapter, () => world);
  });
}

type TheWorld = () => World;

function loginAndDenial(adapter: Adapter, the: TheWorld): void {
  const { commands, codes, account } = adapter;
  it('1 refuses a login without a valid credential in the protocol’s own words', async () => {
    for (const user of [`${account}@here`, `${account}@nowhere`]) {
      await assert.rejects(adapter.login(the().port(), user, 'wrong'), { code: codes.login });
    }
  });

  it('2 dials nothing before authorization', () => {
    assert.equal(the().tap.open, 0);
    assert.equal(the().tap.received().length, 0);
  });

  it('3 and 4 leaves no byte of a denied command upstream, and goes on', async () => {
    const client = await the().login();
    const denied = await client.run(commands.denied.text);
    assert.deepEqual({ ok: denied.ok, code: denied.code }, { ok: false, code: codes.denied });
    assert.equal(the().wasSent(commands.denied.bytes), false);
    const allowed = await client.run(commands.allowed.text);
    assert.ok(allowed.ok && allowed.text.includes(commands.allowed.answer), allowed.text);
  });

  it('counts as done what went on, and nothing that was denied', async () => {
    const { pasts, store } = the().gateway.services;
    const place = { identity: 'ci/novice', target: 'here' };
    const done = async (): Promise<number> => {
      await pasts.close();
      return (await store.history.load(place, asEpochMs(0))).deeds.length;
    };
    const client = await the().login('novice');
    // Some protocols send something to log in.
    const before = await done();
    await client.run(commands.denied.text);
    assert.equal(await done(), before);
    await client.run(commands.allowed.text);
    assert.ok((await done()) > 0);
  });

  it('5 lets no masked value out, wherever the answer is cut', async () => {
    const client = await the().login();
    for (const size of [0, 1, 2, 3, 5, 7, 16, 61]) {
      the().tap.pieceBytes = size;
      const answer = await client.run(commands.masked.text);
      assert.ok(answer.ok, answer.text);
      assert.ok(!answer.text.includes(commands.masked.canary), `pieces of ${size}`);
    }
    the().tap.pieceBytes = 0;
  });
}

function holdsAndRecordings({ commands }: Adapter, the: TheWorld): void {
  it('holds until a person decides, and sends nothing before', async () => {
    const client = await the().login();
    const first = client.run(commands.held.text);
    await until(() => the().gateway.services.approvals.list()[0]);
    assert.equal(the().wasSent(commands.held.bytes), false);
    await the().review('deny');
    assert.equal((await first).ok, false);
    assert.equal(the().wasSent(commands.held.bytes), false);
    const second = client.run(commands.held.text);
    await the().review('approve');
    assert.ok((await second).ok);
    assert.equal(the().wasSent(commands.held.bytes), true);
  });

  it('ends a hold when its sender cancels', async () => {
    const client = await the().login();
    const held = client.run(commands.held.text);
    await until(() => the().gateway.services.approvals.list()[0]);
    await client.cancel();
    assert.equal((await held).ok, false);
  });

  it('6 records the commands that ran, in a file that verifies', async () => {
    const client = await the().login('recorded');
    await client.run(commands.allowed.text);
    await client.run(commands.denied.text);
    client.close();
    await client.closed;
    const { archive, live } = the().gateway.services;
    await until(() => (live.size === 0 ? true : undefined));
    const filter = { identity: 'ci/recorded', target: undefined, since: undefined, limit: 1 };
    const [summary] = await archive.list(filter);
    assert.ok(summary !== undefined);
    const texts: string[] = [];
    const reading = { reader: 'test', identities: [] };
    for await (const item of archive.commands(summary.session, reading)) {
      if ('text' in item) texts.push(item.text);
    }
    // A protocol may record more than the words of the client, behind them.
    for (const { text } of [commands.allowed, commands.denied]) {
      assert.ok(
        texts.some((each) => each.startsWith(text)),
        texts.join(' | '),
      );
    }
    const [report] = await archive.verify([summary.path], [...archive.publicKeys().values()]);
    assert.equal(report?.verdict, 'verified');
  });
}

function failuresAndControls({ commands, garbage }: Adapter, the: TheWorld): void {
  it('7 closes on garbage, and serves the others', async () => {
    const client = await the().login();
    for (const bytes of garbage) await thrownAt(the().port(), bytes);
    const allowed = await client.run(commands.allowed.text);
    assert.ok(allowed.ok);
  });

  it('8 ends a session in every state when a lock comes', async () => {
    const { locks } = the().gateway.services;
    for (const state of ['idle', 'busy', 'held'] as const) {
      const subject = `locked-${state}`;
      const client = await the().login(subject);
      const running =
        state === 'idle'
          ? undefined
          : client.run(state === 'busy' ? commands.slow : commands.held.text);
      running?.catch(() => undefined);
      if (state === 'held') await until(() => the().gateway.services.approvals.list()[0]);
      const lock = await locks.add({
        kind: 'identity',
        value: `ci/${subject}`,
        reason: 'a test',
        until: undefined,
        by: 'people/anna',
      });
      await client.closed;
      await assert.rejects(the().login(subject));
      await locks.remove(lock.id, 'people/anna');
    }
    await until(() => (the().gateway.services.live.size === 0 ? true : undefined));
    assert.equal(the().tap.open, 0);
  });

  it('9 cancels only what its key belongs to', async () => {
    const one = await the().login('one');
    const two = await the().login('two');
    await one.cancel();
    const answer = await two.run(commands.allowed.text);
    assert.ok(answer.ok);
  });

  it('10 leaves no recording open', async () => {
    const { live } = the().gateway.services;
    await until(() => (live.size === 0 ? true : undefined));
    const open = readdirSync(join(the().home, 'recordings')).filter((name) =>
      name.endsWith('.open'),
    );
    assert.deepEqual(open, []);
  });
}

/** Sends bytes to a port and waits until the other side hangs up. */
async function thrownAt(port: number, bytes: Uint8Array): Promise<void> {
  await new Promise<void>((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    socket.on('data', () => undefined);
    socket.on('error', () => undefined);
    socket.on('end', () => socket.end());
    socket.on('close', () => resolve());
  });
}
