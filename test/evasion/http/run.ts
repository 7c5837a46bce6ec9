/** Plays cases through a gateway at a real server, and says what came of each. */
import { connect } from 'node:net';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { type HttpGateway, startHttpGateway } from '../../support/http-gateway.ts';
import { bytesOf, type Case } from './cases.ts';
import { startNginx } from './nginx.ts';
import { type Origin, SSN, startOrigin } from './origin.ts';

/**
 * The reference policy of the corpus: the administration, deletions, mutations and what is not
 * understood are held; numbers of social security are masked.
 */
const policy = `rules:
  - { id: reads, use: read-only, then: allow }
  - id: writes
    when: "facts.analysis == 'complete' && facts.effects.all(e, e in ['read', 'insert'])"
    then: allow
  - id: not-understood
    use: not-understood
    then: hold
    hold: { reviewers: ['role:reviewer'], mode: refuse }
  - id: administration
    when: "facts.objects.exists(o, o.kind == 'route' && (o.name == '/admin' || o.name.startsWith('/admin/')))"
    then: hold
    hold: { reviewers: ['role:reviewer'], mode: refuse }
  - id: changes
    when: "facts.effects.exists(e, e in ['update', 'delete', 'delete-all', 'execute-code'])"
    then: hold
    hold: { reviewers: ['role:reviewer'], mode: refuse }
  - id: purge
    when: "facts.fields.exists(f, f.value == 'purge')"
    then: hold
    hold: { reviewers: ['role:reviewer'], mode: refuse }
masks:
  - { id: ssn, columns: ['*.*.ssn'], with: redact }
  - { id: detected, detect: [us-ssn], with: redact }
`;

export interface Outcome {
  readonly id: string;
  readonly good: boolean;
  readonly what: string;
}

/** Plays cases, one after the other. Without a gateway when `direct`. */
export async function play(cases: readonly Case[], direct: boolean): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  const behind = new Map<string, readonly Case[]>();
  for (const one of cases) {
    const origin = one.origin ?? 'plain';
    behind.set(origin, [...(behind.get(origin) ?? []), one]);
  }
  for (const [name, some] of behind) {
    const origin = await startOrigin({ lenient: name === 'lenient' });
    const nginx = name === 'nginx' ? await startNginx(origin.port) : undefined;
    const port = nginx?.port ?? origin.port;
    const world = await startHttpGateway({
      target: { host: '127.0.0.1', port },
      policy,
      // A page of the application, in which there are no fields.
      settings: { routes: [{ path: '/administrators-guide', textUnderMasks: 'content' }] },
    });
    for (const one of some) {
      outcomes.push(await playOne(one, { origin, world, port: direct ? port : world.port }));
    }
    await world.stop();
    await nginx?.stop();
    await origin.stop();
  }
  return outcomes;
}

interface Place {
  readonly origin: Origin;
  readonly world: HttpGateway;
  readonly port: number;
}

async function playOne(one: Case, { origin, world, port }: Place): Promise<Outcome> {
  origin.reset();
  const received = await send(port, bytesOf(one, await world.basic()));
  const { good, what } = judge(one, received, { ...origin.effects });
  return { id: `${one.id} ${one.technique}`, good, what };
}

/** Nothing more comes after so long. */
const QUIET_MS = 250;
const SILENT_MS = 2_000;

function send(port: number, bytes: Uint8Array): Promise<Buffer> {
  return new Promise((resolve) => {
    const pieces: Buffer[] = [];
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    let timer = setTimeout(() => socket.destroy(), SILENT_MS);
    socket.on('data', (chunk) => {
      pieces.push(chunk);
      clearTimeout(timer);
      timer = setTimeout(() => socket.destroy(), QUIET_MS);
    });
    socket.on('error', () => undefined);
    socket.on('end', () => socket.end());
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(Buffer.concat(pieces));
    });
  });
}

function judge(
  one: Case,
  received: Buffer,
  effects: Origin['effects'],
): { readonly good: boolean; readonly what: string } {
  const text = received.toString('latin1');
  const status = /^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 'nothing';
  const code = /"code":"(SP_\w+)"/.exec(text)?.[1] ?? '';
  const happened = Object.values(effects).some(Boolean);
  const what = [status, code].join(' ').trim();
  switch (one.must) {
    case 'block': {
      const shown = one.proof?.out !== undefined && new RegExp(one.proof.out).test(text);
      if (happened || shown) return { good: false, what: `took effect: ${what}` };
      // HEAD is refused without words; half a request is not answered.
      const isRefused = code !== '' || /^[45]|^nothing/.test(status) || one.effect === 'privilege';
      return { good: isRefused, what: isRefused ? what : `forwarded: ${what}` };
    }
    case 'mask':
      return leaks(received) ? { good: false, what: `leaked: ${what}` } : { good: true, what };
    case 'allow': {
      const isSame = !happened && code === '' && /^(200|204|206|304)$/.test(status);
      return { good: isSame, what: isSame ? what : `over-blocked: ${what}` };
    }
  }
}

/** Whether the value is there in any form in which a client could read it. */
function leaks(received: Buffer): boolean {
  const end = received.indexOf('\r\n\r\n');
  const body = received.subarray(end + 4);
  const forms = [received, ...decoded(body), ...decoded(dechunked(body))];
  return forms.some((bytes) => {
    const text = bytes.toString('latin1');
    const plain = text
      .replaceAll('\0', '')
      .replaceAll(/\\u00([0-9a-fA-F]{2})/g, (_all, hex) =>
        String.fromCharCode(Number.parseInt(String(hex), 16)),
      );
    return plain.includes(SSN) || plain.includes('917428863');
  });
}

function decoded(bytes: Buffer): readonly Buffer[] {
  const found: Buffer[] = [bytes];
  for (const undo of [gunzipSync, brotliDecompressSync]) {
    try {
      const once = undo(bytes);
      found.push(once, gunzipSync(once));
    } catch {
      // Not that coding.
    }
  }
  return found;
}

function dechunked(body: Buffer): Buffer {
  const pieces: Buffer[] = [];
  for (let at = 0; ; ) {
    const stop = body.indexOf('\r\n', at);
    const size = stop < 0 ? 0 : Number.parseInt(body.subarray(at, stop).toString('latin1'), 16);
    if (!(size > 0)) return Buffer.concat(pieces);
    pieces.push(body.subarray(stop + 2, stop + 2 + size));
    at = stop + 4 + size;
  }
}
