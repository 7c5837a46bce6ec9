/**
 * Every message type of protocol 3.0 and 3.2 after start-up, and what the gateway does with it.
 * The tables are closed: a type without a row ends the connection, so that a message that is new
 * to a later server cannot slip past.
 *
 * @see https://www.postgresql.org/docs/18/protocol-message-formats.html
 */

/** Type bytes of what a client sends. */
export const frontend = {
  bind: 0x42, // B
  close: 0x43, // C
  copyData: 0x64, // d
  copyDone: 0x63, // c
  copyFail: 0x66, // f
  describe: 0x44, // D
  execute: 0x45, // E
  flush: 0x48, // H
  functionCall: 0x46, // F
  parse: 0x50, // P
  password: 0x70, // p
  query: 0x51, // Q
  sync: 0x53, // S
  terminate: 0x58, // X
} as const;

/** Type bytes of what a server sends. */
export const backend = {
  authentication: 0x52, // R
  backendKeyData: 0x4b, // K
  bindComplete: 0x32, // 2
  closeComplete: 0x33, // 3
  commandComplete: 0x43, // C
  copyBothResponse: 0x57, // W
  copyData: 0x64, // d
  copyDone: 0x63, // c
  copyInResponse: 0x47, // G
  copyOutResponse: 0x48, // H
  dataRow: 0x44, // D
  emptyQueryResponse: 0x49, // I
  errorResponse: 0x45, // E
  functionCallResponse: 0x56, // V
  negotiateProtocolVersion: 0x76, // v
  noData: 0x6e, // n
  noticeResponse: 0x4e, // N
  notificationResponse: 0x41, // A
  parameterDescription: 0x74, // t
  parameterStatus: 0x53, // S
  parseComplete: 0x31, // 1
  portalSuspended: 0x73, // s
  readyForQuery: 0x5a, // Z
  rowDescription: 0x54, // T
} as const;

/**
 * `judged`: carries a command and is forwarded with a permit alone. `inspected`: read whole, may be
 * changed, dropped or refused. `passed`: forwarded unread, or changed by a mask's plan. `refused`:
 * never legal here.
 */
export type Treatment = 'judged' | 'inspected' | 'passed' | 'refused';

export interface MessageRow {
  readonly name: string;
  readonly treatment: Treatment;
  /** Bytes of the body when every message of the type has the same. */
  readonly bodyBytes: number | undefined;
}

type Rows = readonly (MessageRow | undefined)[];

function table(
  rows: readonly (readonly [type: number, name: string, treatment: Treatment, bytes?: number])[],
): Rows {
  const out: (MessageRow | undefined)[] = Array.from({ length: 256 }, () => undefined);
  for (const [type, name, treatment, bodyBytes] of rows) {
    out[type] = { name, treatment, bodyBytes };
  }
  return out;
}

/** Rows by type byte, for what a client sends. */
export const frontendTable: Rows = table([
  [frontend.query, 'Query', 'judged'],
  [frontend.parse, 'Parse', 'judged'],
  [frontend.bind, 'Bind', 'judged'],
  [frontend.execute, 'Execute', 'judged'],
  [frontend.describe, 'Describe', 'inspected'],
  [frontend.close, 'Close', 'inspected'],
  [frontend.sync, 'Sync', 'inspected', 0],
  [frontend.flush, 'Flush', 'inspected', 0],
  [frontend.terminate, 'Terminate', 'inspected', 0],
  [frontend.copyData, 'CopyData', 'passed'],
  [frontend.copyDone, 'CopyDone', 'inspected', 0],
  [frontend.copyFail, 'CopyFail', 'inspected'],
  // Runs any function by its number, with no SQL to judge: only where a grant names it.
  [frontend.functionCall, 'FunctionCall', 'judged'],
  // Login is over.
  [frontend.password, 'PasswordMessage', 'refused'],
]);

/** Rows by type byte, for what a server sends. */
export const backendTable: Rows = table([
  [backend.dataRow, 'DataRow', 'passed'],
  [backend.copyData, 'CopyData', 'passed'],
  [backend.commandComplete, 'CommandComplete', 'inspected'],
  [backend.parseComplete, 'ParseComplete', 'inspected', 0],
  [backend.bindComplete, 'BindComplete', 'inspected', 0],
  [backend.closeComplete, 'CloseComplete', 'inspected', 0],
  [backend.rowDescription, 'RowDescription', 'inspected'],
  [backend.parameterDescription, 'ParameterDescription', 'inspected'],
  [backend.noData, 'NoData', 'inspected', 0],
  [backend.emptyQueryResponse, 'EmptyQueryResponse', 'inspected', 0],
  [backend.portalSuspended, 'PortalSuspended', 'inspected', 0],
  [backend.readyForQuery, 'ReadyForQuery', 'inspected', 1],
  [backend.errorResponse, 'ErrorResponse', 'inspected'],
  [backend.noticeResponse, 'NoticeResponse', 'inspected'],
  [backend.notificationResponse, 'NotificationResponse', 'inspected'],
  [backend.parameterStatus, 'ParameterStatus', 'inspected'],
  [backend.copyInResponse, 'CopyInResponse', 'inspected'],
  [backend.copyOutResponse, 'CopyOutResponse', 'inspected'],
  [backend.copyDone, 'CopyDone', 'inspected', 0],
  // Replication only, and replication is not let in.
  [backend.copyBothResponse, 'CopyBothResponse', 'refused'],
  // Start-up is over.
  [backend.authentication, 'Authentication', 'refused'],
  [backend.backendKeyData, 'BackendKeyData', 'refused'],
  [backend.negotiateProtocolVersion, 'NegotiateProtocolVersion', 'refused'],
  [backend.functionCallResponse, 'FunctionCallResponse', 'inspected'],
]);
