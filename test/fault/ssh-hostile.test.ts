/**
 * Clients and hosts that have logged in and then break every rule: the gateway says so, or does not
 * listen; it does not grow, other sessions go on, and the recordings verify.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, afterEach, before, describe, it } from 'node:test';
import { FieldReader, FieldWriter } from '#core/ssh-fields.ts';
import {
  dataHead,
  message,
  typeOf,
  writeChannelMessage,
  writeChannelOpen,
  writeChannelRequest,
  writeOpenConfirmation,
  writeWindowAdjust,
} from '#protocols/ssh/codec/messages.ts';
import { evidenceOf } from '../support/evidence.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { type ClientAccess, runSsh, startSshd, type TestHost } from '../support/openssh.ts';
import { rawClient, type RawHost, rawHost, type RawPeer } from '../support/raw-ssh.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const WINDOW = 2 * MIB;

const policy = `rules:
  - id: holds
    when: "command.text.endsWith('# held')"
    then: hold
    hold: { reviewers: ['role:reviewer'], wait: 5m, valid: 1m }
  - { id: rest, when: 'true', then: allow }
`;

let sshd: TestHost;
let evil: RawHost;
let gateway: TestGateway;
/** An honest session that has to live through everything. */
let access: ClientAccess;
let honest: RawPeer;
const peers: RawPeer[] = [];

before(async () => {
  sshd = await startSshd();
  evil = await rawHost();
  const account = { name: 'deploy', username: sshd.username };
  gateway = await startGateway({
    targets: [
      {
        name: 'web',
        protocol: 'ssh',
        host: sshd.host,
        port: sshd.port,
        settings: { hostKeys: [sshd.hostKey] },
        accounts: [{ ...account, clientKey: `file:${sshd.userKey}` }],
      },
      {
        name: 'evil',
        protocol: 'ssh',
        host: '127.0.0.1',
        port: evil.port,
        settings: { hostKeys: [evil.hostKey] },
        accounts: [{ ...account, clientKey: `file:${sshd.userKey}` }],
      },
    ],
    policies: { 'policy.yaml': policy },
    features: ['pty', 'shell'],
  });
  access = {
    port: gateway.ports['ssh'] ?? 0,
    user: 'deploy@web',
    secret: gateway.credential,
    directory: sshd.directory,
  };
  honest = await rawClient(access.port, access.user, access.secret);
  honest.send(open(0));
  await honest.take(message.openConfirmation);
  honest.send(exec(0, 'cat'));
  await honest.take(message.channelSuccess);
});

after(async () => {
  honest.close();
  evil.stop();
  await gateway.stop();
  await sshd.stop();
});

afterEach(async () => {
  for (const peer of peers.splice(0)) peer.close();
  // The gateway answers, and the session from before still works.
  honest.send(data(0, 'still here'));
  const echo = new FieldReader(await honest.take(message.data), 5).text();
  assert.equal(echo, 'still here');
});

async function login(target = 'web'): Promise<RawPeer> {
  const peer = await rawClient(access.port, `deploy@${target}`, access.secret);
  peers.push(peer);
  return peer;
}

/** A session with the host that does what the test says. */
async function withEvil(): Promise<{ client: RawPeer; host: RawPeer }> {
  const [client, host] = await Promise.all([login('evil'), evil.accept()]);
  peers.push(host);
  return { client, host };
}

const open = (sender: number, window = WINDOW, packetMax = 32 * KIB, type = 'session') =>
  writeChannelOpen({ type, sender, window, packetMax, rest: new Uint8Array(0) });

const request = (id: number, type: string, body: Uint8Array, wantReply = true) =>
  writeChannelRequest(id, { type, wantReply, data: body });

const exec = (id: number, text: string) => request(id, 'exec', new FieldWriter().text(text).done());

const data = (id: number, text: string) => {
  const bytes = new TextEncoder().encode(text);
  return new FieldWriter()
    .raw(dataHead(id, false, bytes.length))
    .raw(bytes)
    .done();
};

const bytesOf = (id: number, count: number) => data(id, 'x'.repeat(count));

const globalRequest = (name: string, wantReply = true) =>
  new FieldWriter().byte(message.globalRequest).text(name).bool(wantReply).done();

/** The id that the gateway gave the channel that the client opened as `sender`. */
async function opened(peer: RawPeer, sender = 0): Promise<number> {
  peer.send(open(sender));
  return new FieldReader(await peer.take(message.openConfirmation), 5).uint32();
}

/** A command that runs, with the id of its channel. */
async function running(peer: RawPeer, text: string): Promise<number> {
  const id = await opened(peer);
  peer.send(exec(id, text));
  await peer.take(message.channelSuccess);
  return id;
}

/** A channel that the client's command opened at the host; answers both its ids. */
async function runningAtEvil(): Promise<{ client: RawPeer; host: RawPeer; ours: number }> {
  const { client, host } = await withEvil();
  const id = await opened(client);
  client.send(exec(id, 'something'));
  const asked = new FieldReader(await host.take(message.channelOpen), 1);
  asked.text();
  const ours = asked.uint32();
  host.send(writeOpenConfirmation(ours, { sender: 7, window: WINDOW, packetMax: 32 * KIB }));
  await host.take(message.channelRequest);
  host.send(writeChannelMessage(message.channelSuccess, ours));
  await client.take(message.channelSuccess);
  return { client, host, ours };
}

const residentBytes = (): number => {
  const status = readFileSync(`/proc/${gateway.pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * KIB;
};

/** The codes with which sessions ended, newest last. */
const endings = (): string[] =>
  evidenceOf(gateway.home)
    .events()
    .filter(({ type }) => type === 'session.ended')
    .map(({ data: facts }) => String(facts['code']));

/** Waits until so many sessions ended by the target's fault. */
async function untilBlamed(count: number): Promise<void> {
  const isBlamed = (code: string): boolean => code === 'SP_TARGET_PROTOCOL';
  while (endings().filter(isBlamed).length < count) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Sends messages and expects that they end the session. */
async function isFatal(peer: RawPeer, ...payloads: readonly Uint8Array[]): Promise<void> {
  for (const payload of payloads) peer.send(payload);
  await peer.ended();
}

describe('a client that logged in', () => {
  it('is cut off for messages that have no place', async () => {
    const cases: readonly ((id: number) => Uint8Array)[] = [
      // an unknown message
      () => Uint8Array.of(150),
      // a message of the login
      () => Uint8Array.of(message.authSuccess),
      // an answer that nobody asked for
      () => Uint8Array.of(message.requestSuccess),
      // a confirmation
      (id) => writeOpenConfirmation(id, { sender: 0, window: 1, packetMax: 1 }),
      // a failure
      (id) => writeChannelMessage(message.openFailure, id),
      // an answer to no request
      (id) => writeChannelMessage(message.channelSuccess, id),
      // errors of its own
      (id) => new FieldWriter().raw(dataHead(id, true, 0)).done(),
      // a channel that is not there
      () => data(999, 'x'),
      // a window without end
      (id) => writeWindowAdjust(id, 0xffffffff),
      // half a message
      (id) => exec(id, 'true').subarray(0, 12),
      // a string that is not there
      () => Uint8Array.of(message.channelOpen, 255, 255, 255, 255),
    ];
    for (const payload of cases) {
      const peer = await login();
      const id = await opened(peer);
      await isFatal(peer, payload(id));
    }
  });

  it('may have what it sends behind EOF and CLOSE, and is not heard', async () => {
    const peer = await login();
    const id = await running(peer, 'cat; echo done');
    peer.send(data(id, 'before,'));
    for (let count = 0; count < 1_000; count += 1) {
      peer.send(writeChannelMessage(message.eof, id));
      peer.send(data(id, 'after'));
    }
    let output = '';
    for (;;) {
      const next = await peer.take(message.data, message.close);
      if (typeOf(next) === message.close) break;
      output += new FieldReader(next, 5).text();
    }
    assert.equal(output, 'before,done\n');
    for (let count = 0; count < 1_000; count += 1) {
      peer.send(writeChannelMessage(message.close, id));
      if (count > 0) break;
      peer.send(exec(await opened(peer, 1), 'true'));
      await peer.take(message.channelSuccess);
    }
    await peer.ended();
  });

  it('cannot send more than a window to whoever does not read, nor before a command', async () => {
    for (const start of [(peer: RawPeer) => running(peer, 'sleep 600'), opened]) {
      const peer = await login();
      const id = await start(peer);
      for (let sent = 0; sent < 6 * WINDOW; sent += 32 * KIB) peer.send(bytesOf(id, 32 * KIB));
      await peer.ended();
    }
  });

  it('waits in vain for output where it opened no window, and gets all when it does', async () => {
    const peer = await login();
    peer.send(open(3, 0));
    const id = new FieldReader(await peer.take(message.openConfirmation), 5).uint32();
    peer.send(exec(id, 'echo out; echo err >&2; exit 3'));
    await peer.take(message.channelSuccess);
    peer.send(globalRequest('keepalive@openssh.com'));
    await peer.take(message.requestFailure);
    assert.ok(!peer.received.some((payload) => typeOf(payload) === message.data));
    for (let count = 0; count < 8; count += 1) peer.send(writeWindowAdjust(id, 1));
    const seen = { out: '', err: '', status: -1 };
    for (;;) {
      const next = await peer.take(message.data, message.extendedData, message.channelRequest, 97);
      const fields = new FieldReader(next, 5);
      if (typeOf(next) === message.close) break;
      if (typeOf(next) === message.data) seen.out += fields.text();
      else if (typeOf(next) === message.extendedData) {
        fields.uint32();
        seen.err += fields.text();
      } else if (fields.text() === 'exit-status') {
        fields.bool();
        seen.status = fields.uint32();
      }
    }
    assert.deepEqual(seen, { out: 'out\n', err: 'err\n', status: 3 });
  });

  it('has as many channels as the limit says, and none with packets of single bytes', async () => {
    const peer = await login();
    const count = 500;
    for (let id = 0; id < count; id += 1) peer.send(open(id));
    const answers = { yes: 0, no: 0 };
    for (let seen = 0; seen < count; seen += 1) {
      const next = await peer.take(message.openConfirmation, message.openFailure);
      if (typeOf(next) === message.openConfirmation) answers.yes += 1;
      else answers.no += 1;
    }
    assert.deepEqual(answers, { yes: 64, no: count - 64 });
    const small = await login();
    small.send(open(0, WINDOW, 1));
    await small.take(message.openFailure);
    for (const type of ['x11', 'tun@openssh.com', 'x'.repeat(30_000)]) {
      small.send(open(1, WINDOW, 32 * KIB, type));
      await small.take(message.openFailure);
    }
  });

  it('sets up a channel within bounds: variables, terminals, sizes, strings', async () => {
    const peer = await login();
    const id = await opened(peer);
    const refused = async (type: string, body: FieldWriter): Promise<void> => {
      peer.send(request(id, type, body.done()));
      const answer = await peer.take(message.channelSuccess, message.channelFailure);
      assert.equal(typeOf(answer), message.channelFailure, type);
    };
    for (let count = 0; count < 32; count += 1) {
      const name = `LC_${String.fromCharCode(65 + (count % 26), 65 + Math.floor(count / 26))}`;
      peer.send(request(id, 'env', new FieldWriter().text(name).text('C').done()));
      await peer.take(message.channelSuccess);
    }
    const long = 'x'.repeat(30_000);
    await refused('env', new FieldWriter().text('LC_ZZ').text('C'));
    await refused('env', new FieldWriter().text('LC_A').text(long));
    const terminal = (name: string, size: number, modes: string) =>
      new FieldWriter().text(name).uint32(size).uint32(1).uint32(0).uint32(0).text(modes);
    await refused('pty-req', terminal('xterm', 0xffffffff, ''));
    await refused('pty-req', terminal(long, 80, ''));
    await refused('pty-req', terminal('xterm', 80, long));
    await refused('window-change', new FieldWriter().uint32(1).uint32(1).uint32(1).uint32(1));
    await refused('signal', new FieldWriter().text(long));
    await refused(long, new FieldWriter());
    peer.send(exec(id, 'cat'));
    await peer.take(message.channelSuccess);
    await refused('exec', new FieldWriter().text('touch /tmp/sp-ssh-second'));
    await refused('pty-req', terminal('xterm', 80, ''));
    await isFatal(peer, request(id, 'pty-req', new FieldWriter().text('xterm').done()));
  });

  it('that asks without end and does not read is not read either', async () => {
    const peer = await login();
    peer.transport.pause();
    const before = residentBytes();
    const place = new FieldWriter().text('x'.repeat(250)).uint32(1).text('').uint32(1).done();
    const ask = writeChannelOpen({
      type: 'direct-tcpip',
      sender: 0,
      window: WINDOW,
      packetMax: 32 * KIB,
      rest: place,
    });
    const count = 50_000;
    for (let sent = 0; sent < count; sent += 1) {
      peer.send(ask);
      if (sent % 1_000 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    // An answer to somebody else tells that the gateway had its turns.
    await runSsh(access, ['true']);
    assert.ok(peer.transport.wire.pendingBytes > 0, 'everything was read');
    const grown = residentBytes() - before;
    assert.ok(grown < 100 * MIB, `${Math.round(grown / MIB)} MiB more`);
    peer.transport.resume();
    for (let seen = 0; seen < count; seen += 1) await peer.take(message.openFailure);
  });

  it('leaves in the middle of everything', async () => {
    for (const text of ['sleep 600', 'true # held', 'cat /dev/zero']) {
      const peer = await login();
      const id = await opened(peer);
      peer.send(exec(id, text));
      if (text.endsWith('held')) await peer.take(message.extendedData);
      peer.close();
    }
    // Channels that are opened and closed at once, faster than the host opens them.
    const peer = await login();
    for (let count = 0; count < 300; count += 1) {
      peer.send(open(count));
      peer.send(exec(count, 'true'));
      peer.send(writeChannelMessage(message.close, count));
    }
    for (let count = 0; count < 300; count += 1) await peer.take(message.close);
  });

  it('cannot pile up file operations behind one that is held', async () => {
    const peer = await login();
    const id = await opened(peer);
    peer.send(request(id, 'subsystem', new FieldWriter().text('sftp').done()));
    await peer.take(message.channelSuccess);
    const packet = (body: FieldWriter) => {
      const bytes = body.done();
      return new FieldWriter().uint32(bytes.length).raw(bytes).done();
    };
    const send = (bytes: Uint8Array) =>
      peer.send(
        new FieldWriter()
          .raw(dataHead(id, false, bytes.length))
          .raw(bytes)
          .done(),
      );
    send(packet(new FieldWriter().byte(1).uint32(3)));
    await peer.take(message.data);
    const path = (at: number) => packet(new FieldWriter().byte(17).uint32(at).text('/tmp'));
    const many = new FieldWriter();
    for (let at = 0; at < 6_000; at += 1) many.raw(path(at));
    const bytes = many.done();
    for (let at = 0; at < bytes.length; at += 32 * KIB) send(bytes.subarray(at, at + 32 * KIB));
    await peer.ended();
    const empty = await login();
    const other = await opened(empty);
    empty.send(request(other, 'subsystem', new FieldWriter().text('sftp').done()));
    await empty.take(message.channelSuccess);
    await isFatal(empty, data(other, '\0\0\0\0'));
  });
});

describe('a host that is hostile', () => {
  it('is cut off for messages that have no place', async () => {
    const cases: readonly ((id: number) => Uint8Array)[] = [
      // an unknown message
      () => Uint8Array.of(150),
      // a second confirmation
      (id) => writeOpenConfirmation(id, { sender: 1, window: 1, packetMax: 999 }),
      // a late failure
      (id) => writeChannelMessage(message.openFailure, id),
      // a window without end
      (id) => writeWindowAdjust(id, 0xffffffff),
      // half a message
      (id) => bytesOf(id, 9).subarray(0, 12),
      // an exit status of one byte
      (id) => request(id, 'exit-status', Uint8Array.of(1)),
    ];
    for (const [index, payload] of cases.entries()) {
      const { client, host, ours } = await runningAtEvil();
      await isFatal(host, payload(ours));
      await client.ended();
      await untilBlamed(index + 1);
    }
  });

  it('cannot fill a window that the client does not take, with data or with words', async () => {
    const { client, host, ours } = await runningAtEvil();
    const before = residentBytes();
    for (let count = 0; count < 5_000; count += 1) {
      host.send(request(ours, 'exit-status', new FieldWriter().uint32(1).done(), false));
      host.send(request(ours, 'eow@openssh.com', new Uint8Array(0), false));
      host.send(writeChannelMessage(message.eof, ours));
    }
    host.send(writeChannelMessage(message.close, ours));
    const told: number[] = [];
    for (;;) {
      const next = await client.take(message.channelRequest, message.eof, message.close);
      told.push(typeOf(next));
      if (typeOf(next) === message.close) break;
    }
    assert.deepEqual(told, [
      message.channelRequest,
      message.channelRequest,
      message.eof,
      message.close,
    ]);
    assert.ok(residentBytes() - before < 100 * MIB);
    const second = await runningAtEvil();
    for (let sent = 0; sent < 4 * WINDOW; sent += 32 * KIB) {
      second.host.send(bytesOf(second.ours, 32 * KIB));
    }
    await second.host.ended();
  });

  it('opens nothing towards the client, and gets no answer but no', async () => {
    const { client, host } = await withEvil();
    for (const type of ['session', 'x11', 'auth-agent@openssh.com']) {
      host.send(open(5, WINDOW, 32 * KIB, type));
      await host.take(message.openFailure);
    }
    host.send(globalRequest('hostkeys-00@openssh.com', false));
    host.send(globalRequest('keepalive@openssh.com'));
    await host.take(message.requestFailure);
    const unexpected = client.received.filter((payload) => typeOf(payload) >= 80);
    assert.deepEqual(unexpected, []);
  });

  it('that never opens what it was asked for holds up nobody else', async () => {
    const { client, host } = await withEvil();
    for (let count = 0; count < 64; count += 1) {
      client.send(open(count));
      client.send(exec(count, `command ${count}`));
    }
    for (let count = 0; count < 64; count += 1) await host.take(message.channelOpen);
    for (let count = 0; count < 64; count += 1) {
      client.send(writeChannelMessage(message.close, count));
    }
    for (let count = 0; count < 64; count += 1) await client.take(message.close);
    // It opens them now, and is told to close them again.
    for (let count = 0; count < 64; count += 1) {
      host.send(writeOpenConfirmation(count, { sender: count, window: 1, packetMax: 32 * KIB }));
      await host.take(message.close);
    }
  });
});

describe('afterwards', () => {
  it('every recording verifies, and every session has its end', async () => {
    honest.send(writeChannelMessage(message.eof, 0));
    await honest.take(message.close);
    const kept = evidenceOf(gateway.home);
    honest.close();
    const started = kept.events().filter(({ type }) => type === 'session.started').length;
    while (endings().length < started) await new Promise((resolve) => setImmediate(resolve));
    for (const report of await kept.verify()) {
      assert.equal(report.verdict, 'verified', JSON.stringify(report));
    }
    assert.equal(gateway.exitCode, null);
    honest = await rawClient(access.port, access.user, access.secret);
    await running(honest, 'cat');
  });
});
