/**
 * A gateway for HTTP in this process, with real recordings and a real issuer, before a server that
 * a test gives; and raw requests to it, byte by byte as the test has them.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Gateway, type GatewayConfig, startGateway } from '../../src/main/gateway.ts';
import { http } from '../../src/protocols/http/index.ts';
import { gatewayConfig } from './gateway-config.ts';
import { startIssuer, type TestIssuer } from './issuer.ts';

export interface HttpGatewayOptions {
  /** Where requests go; started here when it is a handler. */
  readonly target: RequestListener | { readonly host: string; readonly port: number };
  readonly policy: string;
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Secret of the account, by a reference. */
  readonly password?: string;
  /** TLS towards the target; off when absent. */
  readonly tls?: GatewayConfig['config']['targets'][number]['tls'];
  /** Merged over the listener. */
  readonly listener?: Readonly<Partial<GatewayConfig['config']['listeners'][number]>>;
}

export interface HttpGateway {
  readonly gateway: Gateway;
  readonly port: number;
  /** The server of a handler. */
  readonly server: Server | undefined;
  readonly home: string;
  /** A token of a job. */
  token(subject?: string): Promise<string>;
  /** What `Authorization` is for a job's account at the target. */
  basic(subject?: string): Promise<string>;
  /** Sends text, with `@AUTH` replaced, and gives all that comes until the other end hangs up. */
  raw(text: string): Promise<string>;
  /** Texts of the commands that were recorded, once every session is over. */
  recorded(): Promise<readonly string[]>;
  stop(): Promise<void>;
}

const RAW_MS_MAX = 30_000;

export async function startHttpGateway(options: HttpGatewayOptions): Promise<HttpGateway> {
  const home = mkdtempSync(join(tmpdir(), 'sp-http-'));
  const server = typeof options.target === 'function' ? createServer(options.target) : undefined;
  const address = 'port' in options.target ? options.target : await listen(server);
  const issuer = await startIssuer();
  mkdirSync(join(home, 'policies'));
  writeFileSync(join(home, 'policies', 'policy.yaml'), options.policy);
  const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const loaded = configuration(home, { address, issuer, options });
  const gateway = await startGateway(loaded, silent, new Map([[http.name, http]]));
  const port = gateway.listeners.get('web') ?? 0;
  const token = (subject = 'job'): Promise<string> =>
    issuer.mint({ sub: subject, aud: 'sallyport', team: 'ci' });
  const basic = async (subject?: string): Promise<string> =>
    `Basic ${Buffer.from(`robot@site:${await token(subject)}`).toString('base64')}`;
  return {
    gateway,
    port,
    server,
    home,
    token,
    basic,
    raw: async (text) => exchange(port, text.replaceAll('@AUTH', await basic())),
    recorded: () => recordedTexts(gateway),
    async stop() {
      await gateway.drain();
      await issuer.stop();
      server?.closeAllConnections();
      if (server !== undefined) await new Promise((resolve) => server.close(resolve));
      rmSync(home, { recursive: true, force: true });
    },
  };
}

async function listen(
  server: Server | undefined,
): Promise<{ readonly host: string; readonly port: number }> {
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  const address = server?.address();
  return {
    host: '127.0.0.1',
    port: typeof address === 'object' && address !== null ? address.port : 0,
  };
}

/** Sends bytes and collects the answer until the connection ends, or nothing more comes. */
export function exchange(port: number, text: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(Buffer.from(text, 'utf8')));
    const timer = setTimeout(() => socket.destroy(), RAW_MS_MAX);
    socket.on('data', (chunk) => (answer += chunk.toString('latin1')));
    socket.on('error', () => undefined);
    socket.on('end', () => socket.end());
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(answer);
    });
  });
}

async function recordedTexts({ services }: Gateway): Promise<readonly string[]> {
  const { archive, live } = services;
  while (live.size > 0) await new Promise((resolve) => setTimeout(resolve, 10));
  const filter = { identity: undefined, target: undefined, since: undefined, limit: 100 };
  const texts: string[] = [];
  for (const { session } of await archive.list(filter)) {
    for await (const item of archive.commands(session, { reader: 'test', identities: [] })) {
      if ('text' in item) texts.push(item.text);
    }
  }
  return texts;
}

function configuration(
  home: string,
  given: {
    readonly address: { readonly host: string; readonly port: number };
    readonly issuer: TestIssuer;
    readonly options: HttpGatewayOptions;
  },
): GatewayConfig {
  const { address, issuer, options } = given;
  const account = {
    name: 'robot',
    ...(options.password === undefined ? {} : { password: options.password }),
  };
  return gatewayConfig({
    home,
    issuer,
    protocol: 'http',
    listener: { name: 'web', ...options.listener },
    target: {
      name: 'site',
      address,
      accounts: [account],
      settings: { hosts: ['app.test'], ...options.settings },
      ...(options.tls === undefined ? {} : { tls: options.tls }),
    },
  });
}
