/**
 * The two JSON documents of a recording: the context, its first block, and the seal, its last.
 * Neither holds values of results; both stay readable when the frames are encrypted.
 */
import type { SessionContext } from '#core/command.ts';
import { asEpochMs, asId, type EpochMs } from '#core/ids.ts';
import type { Role } from '#core/identity.ts';
import type { RecordedSubject } from '#core/ports/recording-archive.ts';
import type { SessionEnd } from '#core/protocol.ts';
import { type JsonObject, numberOf, objectOf, parseObject, textOf, textsOf } from './json.ts';
import { optionalTextOf } from './json.ts';

/** What the gateway says of itself in each context. */
export interface RecordedBy {
  readonly gateway: string;
  readonly keyId: string;
  readonly publicPem: string;
}

/** How the frames are encrypted. */
export interface EncryptionNote {
  readonly cipher: string;
  readonly recipients: readonly string[];
  /** The file key as an age file. */
  readonly wrappedKey: Uint8Array;
}

/** The context as read back. Everything is the recording gateway's claim until it is verified. */
export interface RecordedContext {
  readonly session: string;
  readonly startedAt: number;
  readonly protocol: string;
  readonly identity: JsonObject;
  readonly target: JsonObject;
  readonly account: string;
  readonly namespace: string;
  /** What the grant said that it was for. */
  readonly purpose: string | undefined;
  readonly clientAddress: string;
  readonly clientName: string;
  readonly gateway: string;
  readonly keyId: string;
  readonly publicPem: string;
  /** What the ledger gave when the session opened; ties the recording to it. */
  readonly ledger: string | undefined;
  readonly encryption: EncryptionNote | undefined;
}

/** Why and how a recording ended. */
export interface RecordedSeal {
  readonly state: 'sealed' | 'recovered';
  readonly endedAt: number;
  readonly reason: string;
  readonly code: string | undefined;
  readonly detail: string;
  /** Blocks before the seal. */
  readonly blocks: number;
  /** Hash of the block before the seal, hex. */
  readonly head: string;
  /** Unknown for a recovered recording. */
  readonly counts: TapeCounts | undefined;
  /** Present when recovery found that something is missing. */
  readonly lost: string | undefined;
}

/** What went onto a tape. */
export interface TapeCounts {
  readonly frames: number;
  readonly commands: number;
  readonly fromClientBytes: number;
  readonly toClientBytes: number;
}

/** The context block's payload. */
export function encodeContext(
  context: SessionContext,
  startedAt: EpochMs,
  by: RecordedBy,
  extra: { readonly ledger: string | undefined; readonly encryption: EncryptionNote | undefined },
): Uint8Array {
  const { identity, target } = context;
  return encode({
    format: 'sallyport-recording',
    version: 1,
    session: context.session,
    startedAt,
    protocol: context.protocol,
    // Whole, with the labels below: rules can be asked again about what was decided then.
    identity: {
      ...identity,
      owner: identity.owner ?? null,
      onBehalfOf: identity.onBehalfOf ?? null,
    },
    // Named one by one: a target's settings and accounts may refer to secrets.
    target: { name: target.name, address: target.address, labels: target.labels },
    account: context.account,
    namespace: context.namespace,
    purpose: context.purpose ?? null,
    clientAddress: context.clientAddress,
    clientName: context.clientName,
    gateway: by.gateway,
    keyId: by.keyId,
    publicKey: by.publicPem,
    ledger: extra.ledger ?? null,
    encryption:
      extra.encryption === undefined
        ? null
        : {
            cipher: extra.encryption.cipher,
            recipients: extra.encryption.recipients,
            wrappedKey: Buffer.from(extra.encryption.wrappedKey).toString('base64'),
          },
  });
}

/** Reads a context block; undefined when it is not one. */
export function decodeContext(raw: Uint8Array): RecordedContext | undefined {
  const json = decode(raw);
  const startedAt = numberOf(json, 'startedAt');
  const identity = objectOf(json?.['identity']);
  const target = objectOf(json?.['target']);
  if (json === undefined || startedAt === undefined) return undefined;
  if (identity === undefined || target === undefined) return undefined;
  const note = objectOf(json['encryption']);
  return {
    session: textOf(json, 'session'),
    startedAt,
    protocol: textOf(json, 'protocol'),
    identity,
    target,
    account: textOf(json, 'account'),
    namespace: textOf(json, 'namespace'),
    purpose: optionalTextOf(json, 'purpose'),
    clientAddress: textOf(json, 'clientAddress'),
    clientName: textOf(json, 'clientName'),
    gateway: textOf(json, 'gateway'),
    keyId: textOf(json, 'keyId'),
    publicPem: textOf(json, 'publicKey'),
    ledger: optionalTextOf(json, 'ledger'),
    encryption:
      note === undefined
        ? undefined
        : {
            cipher: textOf(note, 'cipher'),
            recipients: textsOf(note, 'recipients'),
            wrappedKey: Buffer.from(textOf(note, 'wrappedKey'), 'base64'),
          },
  };
}

const roles: readonly Role[] = ['admin', 'reviewer', 'auditor', 'member'];

/**
 * Identity and target of a context; undefined when it does not name both. What else is missing, or
 * of a kind that this release does not know, is left out.
 */
export function subjectOf({
  identity,
  target,
  purpose,
}: Pick<RecordedContext, 'identity' | 'target' | 'purpose'>): RecordedSubject | undefined {
  const id = textOf(identity, 'id');
  const kind = identity['kind'];
  const name = textOf(target, 'name');
  if (id === '' || name === '' || (kind !== 'workload' && kind !== 'human')) return undefined;
  const onBehalfOf = optionalTextOf(identity, 'onBehalfOf');
  return {
    identity: {
      id: asId(id),
      kind,
      issuer: textOf(identity, 'issuer'),
      subject: textOf(identity, 'subject'),
      displayName: textOf(identity, 'displayName'),
      groups: textsOf(identity, 'groups'),
      roles: roles.filter((role) => textsOf(identity, 'roles').includes(role)),
      owner: optionalTextOf(identity, 'owner'),
      onBehalfOf: onBehalfOf === undefined ? undefined : asId(onBehalfOf),
      claims: wordsOf(identity['claims']),
      expiresAt: asEpochMs(numberOf(identity, 'expiresAt') ?? 0),
    },
    target: { name, labels: wordsOf(target['labels']) },
    ...(purpose === undefined ? {} : { purpose }),
  };
}

/** Names with their words; what is no word is left out. */
function wordsOf(value: unknown): Readonly<Record<string, string>> {
  const object = objectOf(value) ?? {};
  return Object.fromEntries(
    Object.keys(object).flatMap((key) => {
      const word = optionalTextOf(object, key);
      return word === undefined ? [] : [[key, word]];
    }),
  );
}

/** What the seal says besides what the writer itself knows. */
export interface SealFacts {
  readonly state: RecordedSeal['state'];
  readonly endedAt: EpochMs;
  readonly end: SessionEnd;
  readonly counts: TapeCounts | undefined;
  readonly lost: string | undefined;
}

/** The seal block's payload. */
export function encodeSeal(facts: SealFacts, blocks: number, head: Uint8Array): Uint8Array {
  return encode({
    state: facts.state,
    endedAt: facts.endedAt,
    reason: facts.end.reason,
    code: facts.end.code ?? null,
    detail: facts.end.detail,
    blocks,
    head: Buffer.from(head).toString('hex'),
    counts: facts.counts ?? null,
    lost: facts.lost ?? null,
  });
}

/** Reads a seal block; undefined when it is not one. */
export function decodeSeal(raw: Uint8Array): RecordedSeal | undefined {
  const json = decode(raw);
  const endedAt = numberOf(json, 'endedAt');
  const blocks = numberOf(json, 'blocks');
  const state = textOf(json, 'state');
  if (json === undefined || endedAt === undefined || blocks === undefined) return undefined;
  if (state !== 'sealed' && state !== 'recovered') return undefined;
  return {
    state,
    endedAt,
    reason: textOf(json, 'reason'),
    code: optionalTextOf(json, 'code'),
    detail: textOf(json, 'detail'),
    blocks,
    head: textOf(json, 'head'),
    counts: decodeCounts(objectOf(json['counts'])),
    lost: optionalTextOf(json, 'lost'),
  };
}

function decodeCounts(json: JsonObject | undefined): TapeCounts | undefined {
  const frames = numberOf(json, 'frames');
  const commands = numberOf(json, 'commands');
  const fromClientBytes = numberOf(json, 'fromClientBytes');
  const toClientBytes = numberOf(json, 'toClientBytes');
  if (frames === undefined || commands === undefined) return undefined;
  if (fromClientBytes === undefined || toClientBytes === undefined) return undefined;
  return { frames, commands, fromClientBytes, toClientBytes };
}

const encode = (value: JsonObject): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

const decode = (raw: Uint8Array): JsonObject | undefined =>
  parseObject(new TextDecoder().decode(raw));
