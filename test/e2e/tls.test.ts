/** TLS on both sides with the real libpq, and logins without the secret ever being sent. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { makeAuthority } from '../support/certificates.ts';
import { type PsqlTarget, runPsql } from '../support/psql.ts';
import { exchange } from './calls.ts';
import { type Shop, startShop, UPSTREAM_PASSWORD } from './shop.ts';

describe('TLS and SCRAM', () => {
  const directory = mkdtempSync(join(tmpdir(), 'sp-tls-'));
  const file = (name: string, text: string): string => {
    const path = join(directory, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  const authority = makeAuthority();
  const ca = file('ca.pem', authority.certificate);
  const otherCa = file('other.pem', makeAuthority().certificate);
  const front = authority.issue(['localhost', '127.0.0.1']);
  const upstream = authority.issue(['127.0.0.1']);
  const ssl = { certificate: upstream.certificate, key: upstream.key };
  const tls = {
    certificate: file('front.crt', front.certificate),
    key: `file:${file('front.key', front.key)}`,
  };
  let shop: Shop;
  before(async () => {
    shop = await startShop({
      server: { ssl, hba: ['hostssl all all 127.0.0.1/32 scram-sha-256'] },
      gateway: { listener: { tls, plaintext: 'never', authentication: 'scram' } },
      target: { tls: { mode: 'verify-full', ca } },
    });
  });
  after(async () => {
    await shop.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  /** psql with a credential that it proves and does not send. */
  async function scram(keywords: Readonly<Record<string, string>>): Promise<PsqlTarget> {
    const token = await shop.gateway.job('nightly');
    const password = await exchange(shop.gateway, token, 'shop');
    const [, id = ''] = password.split('_');
    return shop.psqlAs('nightly', {
      host: 'localhost',
      password,
      options: `-c sallyport.credential=${id}`,
      keywords: { sslmode: 'verify-full', sslrootcert: ca, ...keywords },
    });
  }

  it('logs in by SCRAM bound to the TLS channel, towards the server too', async () => {
    const job = await scram({ channel_binding: 'require' });
    const sql = 'select current_user, (select ssl from pg_stat_ssl where pid = pg_backend_pid())';
    const { stdout, stderr } = await runPsql(job, sql);
    assert.equal(stderr, '');
    assert.equal(stdout, 'app|t\n');
  });

  it('does not log in with a wrong secret of a right credential', async () => {
    const job = await scram({});
    const wrong = `${job.password.slice(0, -1)}${job.password.endsWith('A') ? 'B' : 'A'}`;
    const { stderr } = await runPsql({ ...job, password: wrong }, 'select 1');
    assert.match(stderr, /login failed/);
  });

  it('is not believed under another name or authority', async () => {
    for (const keywords of [
      { sslrootcert: otherCa },
      { host: 'other.example', hostaddr: '127.0.0.1' },
    ]) {
      const { stderr, status } = await runPsql(await scram(keywords), 'select 1');
      assert.match(stderr, /certificate verify failed|does not match host name/);
      assert.notEqual(status, 0);
    }
  });

  it('asks for TLS where plain text is not allowed, before any secret is sent', async () => {
    const { stderr } = await runPsql(await scram({ sslmode: 'disable' }), 'select 1');
    assert.match(stderr, /this listener requires TLS/);
  });
});

describe('TLS towards the target', () => {
  it('sends no password to a server that it cannot verify', async () => {
    const upstream = makeAuthority().issue(['127.0.0.1']);
    const directory = mkdtempSync(join(tmpdir(), 'sp-tls-'));
    const ca = join(directory, 'ca.pem');
    writeFileSync(ca, makeAuthority().certificate);
    const shop = await startShop({
      server: {
        ssl: { certificate: upstream.certificate, key: upstream.key },
        hba: ['host all all 127.0.0.1/32 password'],
        settings: { log_connections: true },
      },
      target: { tls: { mode: 'verify-full', ca } },
    });
    try {
      const { stderr } = await runPsql(await shop.psqlAs('nightly'), 'select 1');
      assert.match(stderr, /FATAL: {2}sallyport: the target cannot be reached/);
      assert.ok(!stderr.includes(UPSTREAM_PASSWORD));
      assert.ok(!/connection authorized: user=app/.test(shop.server.log()));
    } finally {
      await shop.stop();
      rmSync(directory, { recursive: true, force: true });
    }
  });
});
