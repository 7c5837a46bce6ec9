import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { makeAuthorization } from '../../../test/support/admission.ts';
import { fileOperation, verbOf } from './commands-sftp.ts';
import { channelState, isPlainValue, mayBeSet } from './commands.ts';
import { openFlag, readRequest, sftp } from './codec/sftp.ts';
import { FieldWriter } from '#core/ssh-fields.ts';
import { mayPass } from './forwarding.ts';
import { mayHaveShell, mayHaveTerminal, mayLendAgent } from './rights.ts';

const { context } = makeAuthorization({ address: { host: '127.0.0.1', port: 22 } });
const workload = (...features: readonly string[]) => ({ ...context, features });
const person = { ...context, identity: { ...context.identity, kind: 'human' as const } };

describe('rights of channels', () => {
  it('gives a workload a terminal or a shell only by name, and a person both', () => {
    assert.equal(mayHaveTerminal(workload()), false);
    assert.equal(mayHaveTerminal(workload('pty')), true);
    assert.equal(mayHaveShell(workload('pty')), false);
    assert.equal(mayHaveShell(workload('shell')), true);
    assert.ok(mayHaveShell(person) && mayHaveTerminal(person));
  });

  it('forwards to the places that are named, and to no others', () => {
    const may = (feature: string, name: string, port?: number, right = 'direct') =>
      mayPass(
        workload(feature),
        port === undefined
          ? {
              right: right === 'direct' ? 'direct-streamlocal' : 'forwarded-streamlocal',
              name,
              port,
            }
          : { right: right === 'direct' ? 'direct-tcpip' : 'forwarded-tcpip', name, port },
      );
    assert.ok(may('direct-tcpip:db.internal:5432', 'DB.internal', 5_432));
    assert.ok(may('direct-tcpip:*:443', 'anything', 443));
    assert.ok(may('direct-tcpip:::1:80', '::1', 80));
    assert.ok(may('direct-tcpip:db:*', 'db', 1));
    assert.ok(!may('direct-tcpip:db.internal:5432', 'db.internal', 5_433));
    assert.ok(!may('direct-tcpip:db.internal:5432', 'xdb.internal', 5_432));
    assert.ok(!may('direct-tcpip', 'db', 1));
    assert.ok(!may('direct-tcpip:*:*', 'db', 1, 'forwarded'));
    assert.ok(may('forwarded-tcpip:localhost:*', 'localhost', 0, 'forwarded'));
    assert.ok(!may('forwarded-tcpip:localhost:8080', '', 8_080, 'forwarded'));
    assert.ok(may('direct-streamlocal:/run/app.sock', '/run/app.sock'));
    assert.ok(!may('direct-streamlocal:/run/app.sock', '/run/app.sock/../other'));
    assert.ok(!may('direct-streamlocal:/run/app.sock', '/run/app.sock', undefined, 'forwarded'));
    assert.ok(may('forwarded-streamlocal:*', '/any', undefined, 'forwarded'));
    assert.ok(!mayPass(person, { right: 'direct-tcpip', name: 'db', port: 1 }));
  });

  it('lends an agent only where a grant says so, to people as well', () => {
    assert.equal(mayLendAgent(person), false);
    assert.equal(mayLendAgent(workload('agent')), true);
  });

  it('takes variables of language and time, with plain values', () => {
    for (const name of ['LANG', 'LC_ALL', 'TZ']) assert.ok(mayBeSet(name));
    for (const name of [
      'BASH_ENV',
      'LD_PRELOAD',
      'PATH',
      'lang',
      'LC_',
      'BASH_FUNC_x%%',
      'TZDIR',
    ]) {
      assert.ok(!mayBeSet(name), name);
    }
    for (const value of ['', 'de_DE.UTF-8', 'Europe/Berlin', 'en_US@euro']) {
      assert.ok(isPlainValue(value), value);
    }
    for (const value of ['() { :;}', '/etc/shadow', '../x', 'a b', 'a\n', '$(x)', ':x']) {
      assert.ok(!isPlainValue(value), value);
    }
  });

  it('tells commands of different kinds of channels apart, in one order', () => {
    const environment = new Map([
      ['TZ', 'UTC'],
      ['LANG', 'C'],
    ]);
    const state = channelState('exec', { terminal: 'xterm', environment, hasAgent: true });
    assert.equal(state, 'exec\npty xterm\nagent\nenv LANG=C\nenv TZ=UTC');
  });
});

describe('file operations', () => {
  const open = (flags: number) =>
    verbOf(
      readRequest(
        new FieldWriter().byte(sftp.open).uint32(1).text('/a').uint32(flags).uint32(0).done(),
      ),
    );

  it('are what the flags of OPEN make of them', () => {
    assert.equal(open(openFlag.read), 'read');
    assert.equal(open(openFlag.write), 'write');
    assert.equal(open(openFlag.write | openFlag.create | openFlag.truncate), 'truncate');
    assert.equal(open(openFlag.read | openFlag.append), 'read-write');
    // A server may create or empty a file that was not opened for writing.
    assert.notEqual(open(openFlag.read | openFlag.create), 'read');
    assert.notEqual(open(openFlag.truncate), 'read');
  });

  it('are complete only on absolute paths', () => {
    assert.equal(fileOperation('remove', ['/a/b']).facts.analysis, 'complete');
    assert.deepEqual(fileOperation('remove', ['/a/b']).facts.effects, ['delete']);
    assert.equal(fileOperation('remove', ['b']).facts.analysis, 'opaque');
    assert.equal(fileOperation('constructor', ['/a']).facts.analysis, 'opaque');
    assert.equal(fileOperation('read', ['/a "b"']).text, 'sftp read "/a \\"b\\""');
  });
});
