import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { systemClock } from '#core/clock.ts';
import { type ErrorCode, GatewayError } from '#core/errors.ts';
import { defaultLimits } from '#core/limits.ts';
import type { ProtocolServices } from '#core/protocol.ts';
import { systemRandom } from '#core/random.ts';
import type { TargetTls } from '#core/target.ts';
import { SocketWire } from '#wire/socket-wire.ts';
import { type Issued, makeAuthority } from '../../../test/support/certificates.ts';
import { makeAdmission } from '../../../test/support/admission.ts';
import { hasPostgres, startPostgres, type TestPostgres } from '../../../test/support/postgres.ts';
import { until } from '../../../test/support/until.ts';
import { encodeQuery } from './codec/write.ts';
import { protocol30, protocol32 } from './codec/startup.ts';

import type { PgServer } from './types.ts';
import { connectServer } from './upstream.ts';

const never = new AbortController().signal;
const authority = makeAuthority();
const issued = authority.issue(['localhost', '127.0.0.1']);
const robotCertificate = authority.issue(['by_cert']);

const warned: { readonly message: string; readonly facts: Readonly<Record<string, unknown>> }[] =
  [];
const services = (): ProtocolServices => ({
  clock: systemClock,
  random: systemRandom,
  limits: defaultLimits,
  dial: () => Promise.reject(new Error('not here')),
  privateKey: () => assert.fail('PostgreSQL has no key of its own'),
  warn: (message, facts) => void warned.push({ message, facts }),
});

interface Wanted {
  readonly user?: string;
  readonly password?: string;
  readonly tls?: { readonly [Key in keyof TargetTls]?: TargetTls[Key] };
  readonly settings?: unknown;
  readonly certificate?: Issued;
  readonly database?: string;
  readonly parameters?: ReadonlyMap<string, string>;
  readonly services?: ProtocolServices;
}

/** Dials `port` and logs in there. */
async function login(port: number, wanted: Wanted): Promise<PgServer> {
  const wire = await SocketWire.dial({ host: '127.0.0.1', port }, never);
  const admission = makeAdmission({
    address: { host: '127.0.0.1', port },
    tls: { mode: 'verify-full', ca: authority.certificate, serverName: 'localhost', ...wanted.tls },
    settings: wanted.settings ?? {},
    username: wanted.user ?? 'robot',
    password: wanted.password,
    certificate: wanted.certificate,
  });
  const client = {
    parameters: wanted.parameters ?? new Map<string, string>(),
    database: wanted.database ?? 'postgres',
    version: protocol30,
  };
  return connectServer(wire, client, admission, wanted.services ?? services(), never);
}

/** The text of one value of one query over a server that was just logged in to. */
async function ask(server: PgServer, sql: string): Promise<string> {
  let seen = Buffer.from(server.rest);
  server.wire.attach({
    data(chunk) {
      seen = Buffer.concat([seen, chunk]);
    },
    drained() {},
    ended() {},
    closed() {},
  });
  server.wire.write(encodeQuery(sql));
  // ReadyForQuery is the last message, six bytes long.
  await until(() => seen.at(-6) === 0x5a);
  server.wire.destroy();
  const row = seen.indexOf(Buffer.from('D\0\0'));
  return row < 0 ? '' : seen.toString('utf8', row + 11, row + 11 + seen.readInt32BE(row + 7));
}

const code =
  (wanted: ErrorCode, says?: RegExp) =>
  (thrown: unknown): boolean => {
    assert.ok(thrown instanceof GatewayError, String(thrown));
    assert.equal(thrown.code, wanted, thrown.message);
    if (says !== undefined) assert.match(thrown.message, says);
    return true;
  };

const plain = { mode: 'disable' } as const;
const scramOfServer = "select rolpassword from pg_authid where rolname = 'robot'";

for (const version of ([15, 18] as const).filter(hasPostgres)) {
  describe(`logging in at PostgreSQL ${version}`, () => {
    let server: TestPostgres;
    before(async () => {
      server = await startPostgres({
        version,
        ssl: { ...issued, clientCa: authority.certificate },
        hba: [
          'hostssl all by_cert 127.0.0.1/32 cert',
          'host all by_md5 127.0.0.1/32 md5',
          'host all by_password 127.0.0.1/32 password',
          'host all by_trust 127.0.0.1/32 trust',
          'host all robot 127.0.0.1/32 scram-sha-256',
        ],
      });
      await server.query(`create role robot login password 'pä55 wörd';
        create role by_cert login; create role by_trust login;
        create role by_password login password 'clear';
        set password_encryption = 'md5'; create role by_md5 login password 'old';`);
      assert.match(String((await server.query(scramOfServer))[0]?.['rolpassword']), /^SCRAM/);
    });
    after(() => server.stop());

    it('by SCRAM bound to verified TLS, pinning what statements are read under', async () => {
      const parameters = new Map([
        ['application_name', 'tests'],
        ['datestyle', 'German, DMY'],
      ]);
      const robot = await login(server.port, { password: 'pä55 wörd', parameters });
      assert.equal(robot.parameters.get('client_encoding'), 'UTF8');
      assert.equal(robot.parameters.get('standard_conforming_strings'), 'on');
      assert.equal(robot.parameters.get('application_name'), 'tests');
      assert.equal(robot.parameters.get('DateStyle'), 'German, DMY');
      assert.equal(robot.version, version === 18 ? protocol32 : protocol30);
      assert.equal(robot.cancelKey.length, version === 18 ? 32 : 4);
      assert.ok(robot.processId > 0);
      const ssl = 'select version from pg_stat_ssl where pid = pg_backend_pid()';
      assert.equal(await ask(robot, ssl), 'TLSv1.3');
    });

    it('by SCRAM with binding required, and without TLS', async () => {
      const password = 'pä55 wörd';
      const bound = { channelBinding: 'require', authentication: 'scram' };
      (await login(server.port, { password, settings: bound })).wire.destroy();
      (await login(server.port, { password, tls: plain })).wire.destroy();
      await assert.rejects(
        login(server.port, { password, tls: plain, settings: bound }),
        code('SP_TARGET_LOGIN', /bind/),
      );
    });

    it('without PBKDF2 when the account has logged in before', async () => {
      const shared = services();
      const password = 'pä55 wörd';
      (await login(server.port, { password, services: shared })).wire.destroy();
      (await login(server.port, { password, services: shared })).wire.destroy();
      await assert.rejects(
        login(server.port, { password: 'other', services: shared }),
        code('SP_TARGET_LOGIN'),
      );
    });

    it('by MD5, by a clear-text password over TLS alone, by certificate, and by trust', async () => {
      (await login(server.port, { user: 'by_md5', password: 'old' })).wire.destroy();
      (await login(server.port, { user: 'by_md5', password: 'old', tls: plain })).wire.destroy();
      (await login(server.port, { user: 'by_password', password: 'clear' })).wire.destroy();
      (await login(server.port, { user: 'by_trust' })).wire.destroy();
      const certificate = robotCertificate;
      const robot = await login(server.port, { user: 'by_cert', certificate });
      assert.equal(await ask(robot, 'select current_user'), 'by_cert');
      await assert.rejects(
        login(server.port, { user: 'by_password', password: 'clear', tls: plain }),
        code('SP_TARGET_LOGIN', /clear-text/),
      );
      for (const user of ['by_md5', 'by_password', 'by_trust']) {
        const settings = { authentication: 'scram' };
        await assert.rejects(
          login(server.port, { user, password: 'old', settings }),
          code('SP_TARGET_LOGIN', /SCRAM/),
        );
      }
    });

    it('tells the operator what the server said, and the client nothing', async () => {
      warned.length = 0;
      await assert.rejects(login(server.port, { password: 'wrong' }), (thrown: unknown) => {
        assert.ok(thrown instanceof GatewayError);
        assert.equal(thrown.message, 'the target refused the account');
        assert.match(
          String(thrown.facts['serverMessage']),
          /authentication failed for user "robot"/,
        );
        return true;
      });
      assert.equal(warned.length, 1);
      assert.equal(warned[0]?.facts['serverState'], '28P01');
      await assert.rejects(
        login(server.port, { password: 'pä55 wörd', database: 'nowhere' }),
        code('SP_TARGET_LOGIN'),
      );
      assert.equal(warned[1]?.facts['serverState'], '3D000');
      await assert.rejects(login(server.port, {}), code('SP_TARGET_LOGIN', /password/));
    });

    it('goes to the database of the settings, or of the account, when none is named', async () => {
      const first = { user: 'by_trust', database: '', settings: { database: 'postgres' } };
      const named = await login(server.port, first);
      assert.equal(await ask(named, 'select current_database()'), 'postgres');
      await assert.rejects(
        login(server.port, { user: 'by_trust', database: '' }),
        code('SP_TARGET_LOGIN'),
      );
      assert.match(String(warned.at(-1)?.facts['serverMessage']), /"by_trust" does not exist/);
    });

    it('refuses a certificate of another name or authority', async () => {
      const password = 'pä55 wörd';
      await assert.rejects(
        login(server.port, { password, tls: { serverName: 'db.example' } }),
        code('SP_TARGET_UNREACHABLE', /altnames/),
      );
      await assert.rejects(
        login(server.port, { password, tls: { ca: makeAuthority().certificate } }),
        code('SP_TARGET_UNREACHABLE'),
      );
      const byAddress = await login(server.port, { password, tls: { serverName: undefined } });
      byAddress.wire.destroy();
    });

    if (version === 18) {
      it('starts TLS from the first byte when it is told to, and asks for 3.0 likewise', async () => {
        const settings = { directTls: true, protocol: '3.0' };
        const robot = await login(server.port, { password: 'pä55 wörd', settings });
        assert.equal(robot.version, protocol30);
        assert.equal(robot.cancelKey.length, 4);
        robot.wire.destroy();
      });
    }
  });
}
