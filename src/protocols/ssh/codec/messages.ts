/**
 * The messages of authentication (RFC 4252) and of channels (RFC 4254): numbers, readers, writers.
 * The transport's own (1 to 4, 20 to 49) never come here.
 */
import { FieldReader, FieldWriter } from '#core/ssh-fields.ts';

/** Message numbers that the gateway knows; every other one ends the connection. */
export const message = {
  disconnect: 1,
  serviceRequest: 5,
  serviceAccept: 6,
  extInfo: 7,
  authRequest: 50,
  authFailure: 51,
  authSuccess: 52,
  authBanner: 53,
  /** PK_OK, or INFO_REQUEST, as the method under way has it. */
  authMethod60: 60,
  authMethod61: 61,
  globalRequest: 80,
  requestSuccess: 81,
  requestFailure: 82,
  channelOpen: 90,
  openConfirmation: 91,
  openFailure: 92,
  windowAdjust: 93,
  data: 94,
  extendedData: 95,
  eof: 96,
  close: 97,
  channelRequest: 98,
  channelSuccess: 99,
  channelFailure: 100,
} as const;

/** The one type of extended data that exists: what goes to standard error. */
export const STDERR = 1;

/** Why a channel was not opened (RFC 4254 section 5.1). */
export const openFailure = {
  prohibited: 1,
  connectFailed: 2,
  unknownType: 3,
  resources: 4,
} as const;

/** Why a connection ends (RFC 4253 section 11.1). */
export const disconnect = {
  protocolError: 2,
  serviceNotAvailable: 7,
  byApplication: 11,
  tooManyConnections: 12,
  noMoreMethods: 14,
} as const;

/** DISCONNECT with one line of text. */
export const disconnectMessage = (reason: number, text: string): Uint8Array =>
  new FieldWriter()
    .byte(message.disconnect)
    .uint32(reason)
    .text(text.split('\n', 1)[0] ?? '')
    .text('')
    .done();

/** CHANNEL_OPEN: who asks, and what follows for its type. */
export interface ChannelOpen {
  readonly type: string;
  readonly sender: number;
  readonly window: number;
  readonly packetMax: number;
  readonly rest: Uint8Array;
}

export function readChannelOpen(payload: Uint8Array): ChannelOpen {
  const reader = new FieldReader(payload, 1);
  return {
    type: reader.text(),
    sender: reader.uint32(),
    window: reader.uint32(),
    packetMax: reader.uint32(),
    rest: reader.rest(),
  };
}

export const writeChannelOpen = ({
  type,
  sender,
  window,
  packetMax,
  rest,
}: ChannelOpen): Uint8Array =>
  new FieldWriter()
    .byte(message.channelOpen)
    .text(type)
    .uint32(sender)
    .uint32(window)
    .uint32(packetMax)
    .raw(rest)
    .done();

/** CHANNEL_REQUEST; `data` is what follows for its type. */
export interface ChannelRequest {
  readonly type: string;
  readonly wantReply: boolean;
  readonly data: Uint8Array;
}

export function readChannelRequest(payload: Uint8Array): ChannelRequest {
  const reader = new FieldReader(payload, 5);
  return { type: reader.text(), wantReply: reader.bool(), data: reader.rest() };
}

export const writeChannelRequest = (
  recipient: number,
  { type, wantReply, data }: ChannelRequest,
): Uint8Array =>
  new FieldWriter()
    .byte(message.channelRequest)
    .uint32(recipient)
    .text(type)
    .bool(wantReply)
    .raw(data)
    .done();

/** Columns and rows, or pixels, beyond which no terminal is: what a kernel keeps of them. */
const TERMINAL_SIZE_MAX = 0xffff;

/** Whether the fields of `window-change` are sizes of a terminal; malformed when they are others. */
export function readWindowSize(data: Uint8Array): boolean {
  const fields = new FieldReader(data);
  const isSize = areSizes(fields);
  fields.end();
  return isSize;
}

/** The name of the terminal's type in `pty-req`; undefined when its sizes are none. */
export function readTerminal(data: Uint8Array): string | undefined {
  const fields = new FieldReader(data);
  const name = fields.text();
  const isSize = areSizes(fields);
  fields.string(); // modes
  fields.end();
  return isSize ? name : undefined;
}

function areSizes(fields: FieldReader): boolean {
  const sizes = [fields.uint32(), fields.uint32(), fields.uint32(), fields.uint32()];
  return sizes.every((size) => size <= TERMINAL_SIZE_MAX);
}

/** The number of a message; 0, which none has, for an empty one. */
export const typeOf = (payload: Uint8Array): number => payload[0] ?? 0;

/** The channel that a message of a channel is for. */
export const recipientOf = (payload: Uint8Array): number => new FieldReader(payload, 1).uint32();

/** A message that names a channel and nothing else: EOF, CLOSE, SUCCESS, FAILURE. */
export const writeChannelMessage = (type: number, recipient: number): Uint8Array =>
  new FieldWriter().byte(type).uint32(recipient).done();

export const writeOpenConfirmation = (
  recipient: number,
  own: { readonly sender: number; readonly window: number; readonly packetMax: number },
): Uint8Array =>
  new FieldWriter()
    .byte(message.openConfirmation)
    .uint32(recipient)
    .uint32(own.sender)
    .uint32(own.window)
    .uint32(own.packetMax)
    .done();

export const writeOpenFailure = (recipient: number, reason: number, text: string): Uint8Array =>
  new FieldWriter()
    .byte(message.openFailure)
    .uint32(recipient)
    .uint32(reason)
    .text(text)
    .text('')
    .done();

export const writeWindowAdjust = (recipient: number, bytes: number): Uint8Array =>
  new FieldWriter().byte(message.windowAdjust).uint32(recipient).uint32(bytes).done();

/** The head of CHANNEL_DATA or CHANNEL_EXTENDED_DATA; `length` bytes of data follow. */
export function dataHead(recipient: number, isStderr: boolean, length: number): Uint8Array {
  const writer = new FieldWriter()
    .byte(isStderr ? message.extendedData : message.data)
    .uint32(recipient);
  if (isStderr) writer.uint32(STDERR);
  return writer.uint32(length).done();
}

/** The bytes of CHANNEL_DATA, or of standard error. */
export function readData(payload: Uint8Array): { isStderr: boolean; bytes: Uint8Array } {
  const reader = new FieldReader(payload, 5);
  const isStderr = payload[0] === message.extendedData;
  // Another type of extended data does not exist; it counts as standard error.
  if (isStderr) reader.uint32();
  const bytes = reader.string();
  reader.end();
  return { isStderr, bytes };
}
