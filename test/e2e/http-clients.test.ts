/** Clients that people use, unchanged: through the gateway they see what the target gives. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpsServer } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type Authority, makeAuthority } from '../support/certificates.ts';
import { type HttpGateway, startHttpGateway } from '../support/http-gateway.ts';

const large = 'x'.repeat(300_000);

/** Says back what it was sent. */
function target(request: IncomingMessage, response: ServerResponse): void {
  let length = 0;
  let body = '';
  request.on('data', (chunk: Buffer) => {
    length += chunk.length;
    if (length < 1_000) body += chunk.toString('utf8');
  });
  request.on('end', () => {
    response.setHeader('content-type', 'application/json');
    response.setHeader('set-cookie', ['a=1', 'b=2']);
    if (request.url === '/large') response.end(JSON.stringify(large));
    else response.end(JSON.stringify({ method: request.method, url: request.url, length, body }));
  });
}

const policy = `rules:
  - { id: all, when: "facts.analysis == 'complete' && !facts.effects.exists(e, e == 'delete')", then: allow }
`;

interface Run {
  readonly code: number | null;
  readonly out: string;
}

function run(program: string, args: readonly string[], input = ''): Promise<Run> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, [...args], { stdio: ['pipe', 'pipe', 'pipe'] });
    let out = '';
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString('utf8')));
    child.stderr.on('data', (chunk: Buffer) => (out += chunk.toString('utf8')));
    child.on('error', () => reject(new Error(`${program} is needed for this test`)));
    child.on('close', (code) => resolve({ code, out }));
    child.stdin.end(input);
  });
}

describe('clients of HTTP', () => {
  let world: HttpGateway;
  let url = '';
  let home = '';
  let authority: Authority;

  before(async () => {
    home = mkdtempSync(join(tmpdir(), 'sp-clients-'));
    authority = makeAuthority('clients');
    const issued = authority.issue(['localhost', '127.0.0.1']);
    for (const [name, text] of Object.entries({
      'ca.pem': authority.certificate,
      'cert.pem': issued.certificate,
      'key.pem': issued.key,
    })) {
      writeFileSync(join(home, name), text, { mode: 0o600 });
    }
    world = await startHttpGateway({
      target,
      policy,
      settings: { hosts: ['localhost'] },
      listener: { tls: { certificate: join(home, 'cert.pem'), key: join(home, 'key.pem') } },
    });
    url = `https://localhost:${world.port}`;
  });

  after(async () => {
    await world.stop();
    rmSync(home, { recursive: true, force: true });
  });

  for (const [version, status] of [
    ['--http1.1', /^HTTP\/1\.1 200/],
    ['--http2', /^HTTP\/2 200/],
  ] as const) {
    it(`curl ${version} reads, writes, uploads and is refused`, () => curl(version, status));
  }

  async function curl(version: string, status: RegExp): Promise<void> {
    const authorization = `Authorization: ${await world.basic()}`;
    const all = ['-sS', version, '--cacert', join(home, 'ca.pem'), '-H', authorization];
    const get = await run('curl', [...all, `${url}/a?b=c`]);
    assert.match(get.out, /"method":"GET","url":"\/a\?b=c"/);
    const post = await run('curl', [...all, '--json', '{"a":1}', `${url}/x`]);
    assert.match(post.out, /"method":"POST".*"length":7/);
    const file = join(home, 'upload');
    writeFileSync(file, 'y'.repeat(500_000));
    const type = ['-H', 'Content-Type: text/plain', '-H', 'Transfer-Encoding: chunked'];
    const many = await run('curl', [...all, ...type, '-T', file, `${url}/small`]);
    assert.match(many.out, /SP_POLICY_DENIED/, 'longer text than is looked at');
    const put = await run('curl', [...all, ...type, '-T', '-', `${url}/small`], 'short');
    assert.match(put.out, /"method":"PUT".*"length":5/);
    const head = await run('curl', [...all, '-I', `${url}/large`]);
    assert.match(head.out, status);
    const both = await run('curl', [...all, `${url}/1`, `${url}/2`, '-w', '%{num_connects}']);
    assert.match(both.out, /"url":"\/1".*\}1\{.*"url":"\/2".*\}0$/, 'one connection');
    const refused = await run('curl', [...all, '-X', 'DELETE', '-f', `${url}/a`]);
    assert.equal(refused.code, 22);
    const page = await run('curl', [...all, `${url}/large`]);
    assert.equal(JSON.parse(page.out), large);
  }

  it('wget and Python read and write', async () => {
    const token = await world.token();
    const ca = join(home, 'ca.pem');
    const wget = ['-q', '-O', '-', `--ca-certificate=${ca}`];
    const got = await run('wget', [...wget, `--header=Authorization: Bearer ${token}`, `${url}/w`]);
    assert.match(got.out, /"url":"\/w"/);
    const script = `
import json, ssl, urllib.request
context = ssl.create_default_context(cafile='${ca}')
def ask(path, data=None):
    request = urllib.request.Request('${url}' + path, data=data, headers={
        'Authorization': 'Bearer ${token}', 'Content-Type': 'application/json'})
    with urllib.request.urlopen(request, context=context) as answer:
        return json.load(answer), answer.headers.get_all('Set-Cookie')
print(ask('/p')[0]['url'], ask('/p', b'{"a": 1}')[0]['method'], len(ask('/large')[0]), ask('/')[1])
`;
    const python = await run('python3', ['-c', script]);
    assert.equal(python.out.trim(), `/p POST ${large.length} ['a=1', 'b=2']`);
  });

  it('Java reads and writes, over connections that it keeps', async () => {
    const source = join(home, 'Ask.java');
    writeFileSync(
      source,
      `import java.net.URI; import java.net.http.*; import java.nio.file.*; import java.security.*;
import java.security.cert.*; import javax.net.ssl.*;
public class Ask { public static void main(String[] args) throws Exception {
  KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType()); store.load(null, null);
  try (var in = Files.newInputStream(Path.of(args[0]))) {
    store.setCertificateEntry("ca",
      CertificateFactory.getInstance("X.509").generateCertificate(in)); }
  TrustManagerFactory trust =
    TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
  trust.init(store); SSLContext context = SSLContext.getInstance("TLS");
  context.init(null, trust.getTrustManagers(), null);
  HttpClient client = HttpClient.newBuilder().sslContext(context).build();
  for (String body : new String[] { "", "{}" }) {
    HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(args[1] + "/java"))
      .header("Authorization", "Bearer " + args[2]).header("Content-Type", "application/json");
    if (!body.isEmpty()) request.POST(HttpRequest.BodyPublishers.ofString(body));
    HttpResponse<String> answer =
      client.send(request.build(), HttpResponse.BodyHandlers.ofString());
    System.out.println(answer.statusCode() + " " + answer.body()); } } }
`,
    );
    const args = [source, join(home, 'ca.pem'), url, await world.token()];
    const { out } = await run('java', ['-XX:TieredStopAtLevel=1', ...args]);
    assert.match(out, /200 .*"method":"GET","url":"\/java"[^]*200 .*"method":"POST"/, out);
  });

  it('are not served in plain text where TLS is required', async () => {
    const strict = await startHttpGateway({ target, policy, listener: { plaintext: 'never' } });
    const answer = await strict.raw('GET / HTTP/1.1\r\nHost: app.test\r\n\r\n');
    assert.match(answer, /^HTTP\/1\.1 426 /);
    await strict.stop();
  });
});

describe('targets with TLS', () => {
  it('are verified', async () => {
    const authority = makeAuthority('targets');
    const other = makeAuthority('others');
    const { certificate, key } = authority.issue(['127.0.0.1']);
    const server = createHttpsServer({ cert: certificate, key }, target);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const home = mkdtempSync(join(tmpdir(), 'sp-ca-'));
    for (const [ca, wanted] of [
      [authority, /^HTTP\/1\.1 200/],
      [other, /^HTTP\/1\.1 502 [^]*SP_TARGET_UNREACHABLE/],
    ] as const) {
      writeFileSync(join(home, 'ca.pem'), ca.certificate);
      const world = await startHttpGateway({
        target: { host: '127.0.0.1', port },
        policy,
        tls: { mode: 'verify-full', ca: join(home, 'ca.pem') },
      });
      const answer = await world.raw(
        'GET / HTTP/1.1\r\nHost: app.test\r\nAuthorization: @AUTH\r\nConnection: close\r\n\r\n',
      );
      assert.match(answer, wanted);
      await world.stop();
    }
    server.closeAllConnections();
    server.close();
    rmSync(home, { recursive: true, force: true });
  });
});
