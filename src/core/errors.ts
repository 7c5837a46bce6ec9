/**
 * Every error that leaves the gateway has a row here: a stable code, a safe text, and its native
 * form in each protocol. `docs/reference/errors.md` is generated from this table, and a test keeps
 * the two equal.
 */
export interface ErrorRow {
  /** What the person or program at the other end is told; holds no data. */
  readonly text: string;
  /** Whose mistake it is: decides the log level and whether the detail may be shown to clients. */
  readonly audience: 'client' | 'operator';
  /** PostgreSQL SQLSTATE. */
  readonly sqlstate: string;
  /** MySQL error number. */
  readonly mysql: number;
  /** HTTP status, for the API, HTTP targets and Kubernetes `Status`. */
  readonly http: number;
  /** Exit status of a command that did not run: 126 for good, 75 when it may be tried later. */
  readonly exit: 75 | 126;
}

export type ErrorCode =
  | 'SP_POLICY_DENIED'
  | 'SP_LIMIT_EXCEEDED'
  | 'SP_NOT_UNDERSTOOD'
  | 'SP_HOLD_PENDING'
  | 'SP_HOLD_DENIED'
  | 'SP_HOLD_TIMEOUT'
  | 'SP_HOLD_CANCELLED'
  | 'SP_HOLDS_FULL'
  | 'SP_LOCKED'
  | 'SP_EXPIRED'
  | 'SP_LOGIN_FAILED'
  | 'SP_LOGIN_TIMEOUT'
  | 'SP_NO_GRANT'
  | 'SP_NO_TARGET'
  | 'SP_TLS_REQUIRED'
  | 'SP_TOO_MANY'
  | 'SP_DRAINING'
  | 'SP_FRAME_TOO_LARGE'
  | 'SP_FRAME_MALFORMED'
  | 'SP_PROTOCOL'
  | 'SP_UNSUPPORTED'
  | 'SP_MASK_UNSOUND'
  | 'SP_RECORDING_FAILED'
  | 'SP_RECORDING_SPACE'
  | 'SP_TARGET_UNREACHABLE'
  | 'SP_TARGET_LOGIN'
  | 'SP_TARGET_PROTOCOL'
  | 'SP_TARGET_LOST'
  | 'SP_CONFIG'
  | 'SP_STORE'
  | 'SP_NOT_FOUND'
  | 'SP_FORBIDDEN'
  | 'SP_CONFLICT'
  | 'SP_BAD_REQUEST'
  | 'SP_INTERNAL';

const row = (
  text: string,
  audience: ErrorRow['audience'],
  ...native: readonly [sqlstate: string, mysql: number, http: number, exit?: 75]
): ErrorRow => {
  const [sqlstate, mysql, http, exit = 126] = native;
  return { text, audience, sqlstate, mysql, http, exit };
};

export const errorTable: Readonly<Record<ErrorCode, ErrorRow>> = {
  SP_POLICY_DENIED: row('denied by policy', 'client', '42501', 1142, 403),
  SP_LIMIT_EXCEEDED: row('above a limit of the policy', 'client', '54000', 1226, 403),
  SP_NOT_UNDERSTOOD: row('not understood, so not forwarded', 'client', '42501', 1142, 403),
  SP_HOLD_PENDING: row('held: waits for approval', 'client', '42501', 1142, 403, 75),
  SP_HOLD_DENIED: row('a reviewer denied it', 'client', '42501', 1142, 403),
  SP_HOLD_TIMEOUT: row('nobody approved it in time', 'client', '57014', 1317, 403, 75),
  SP_HOLD_CANCELLED: row(
    'cancelled while it waited for approval',
    'client',
    '57014',
    1317,
    499,
    75,
  ),
  SP_HOLDS_FULL: row('too many commands wait for approval', 'client', '53400', 1226, 429, 75),
  SP_LOCKED: row('this identity, owner, target or session is locked', 'client', '57P01', 3118, 403),
  SP_EXPIRED: row('the credential or grant has expired', 'client', '57P01', 3118, 401),
  SP_LOGIN_FAILED: row('login failed', 'client', '28P01', 1045, 401),
  SP_LOGIN_TIMEOUT: row('login took too long', 'client', '57014', 1045, 408, 75),
  SP_NO_GRANT: row('no grant reaches this target with this account', 'client', '28000', 1044, 403),
  SP_NO_TARGET: row('no such target', 'client', '3D000', 1049, 404),
  SP_TLS_REQUIRED: row('this listener requires TLS', 'client', '28000', 3159, 426),
  SP_TOO_MANY: row('too many connections', 'client', '53300', 1040, 503, 75),
  SP_DRAINING: row('the gateway is shutting down', 'client', '57P01', 1053, 503, 75),
  SP_FRAME_TOO_LARGE: row('a message is larger than the limit', 'client', '54000', 1153, 413),
  SP_FRAME_MALFORMED: row('a message is malformed', 'client', '08P01', 1835, 400),
  SP_PROTOCOL: row('a message that the protocol does not allow here', 'client', '08P01', 1835, 400),
  SP_UNSUPPORTED: row('not supported by the gateway', 'client', '0A000', 1235, 501),
  SP_MASK_UNSOUND: row('the result cannot be masked soundly', 'client', '42501', 1142, 403),
  SP_RECORDING_FAILED: row('the recording cannot be kept', 'operator', '58030', 1026, 503, 75),
  SP_RECORDING_SPACE: row('too little disk for recordings', 'operator', '53100', 1021, 507, 75),
  SP_TARGET_UNREACHABLE: row('the target cannot be reached', 'operator', '08001', 2003, 502, 75),
  SP_TARGET_LOGIN: row('the target refused the account', 'operator', '08004', 1045, 502),
  SP_TARGET_PROTOCOL: row('the target broke the protocol', 'operator', '08P01', 1835, 502),
  SP_TARGET_LOST: row('the connection to the target was lost', 'operator', '08006', 2013, 502, 75),
  SP_CONFIG: row('the configuration is not valid', 'operator', 'F0000', 1105, 500),
  SP_STORE: row('the state store failed', 'operator', '58000', 1105, 503, 75),
  SP_NOT_FOUND: row('not found', 'client', '02000', 1105, 404),
  SP_FORBIDDEN: row('not allowed', 'client', '42501', 1142, 403),
  SP_CONFLICT: row('not possible in its present state', 'client', '55000', 1105, 409),
  SP_BAD_REQUEST: row('the request is not valid', 'client', '22023', 1105, 400),
  SP_INTERNAL: row('internal error', 'operator', 'XX000', 1105, 500),
};

/**
 * The one error class. `facts` are for logs and audit, never for clients; `cause` keeps the chain.
 */
export class GatewayError extends Error {
  readonly code: ErrorCode;
  readonly facts: Readonly<Record<string, string | number | boolean>>;

  constructor(
    code: ErrorCode,
    options: {
      readonly detail?: string;
      readonly facts?: Readonly<Record<string, string | number | boolean>>;
      readonly cause?: unknown;
    } = {},
  ) {
    const { text } = errorTable[code];
    super(options.detail === undefined ? text : `${text}: ${options.detail}`, {
      cause: options.cause,
    });
    this.name = 'GatewayError';
    this.code = code;
    this.facts = options.facts ?? {};
  }
}

/** Whatever was thrown, as a GatewayError; an unknown throw becomes `SP_INTERNAL`. */
export function toGatewayError(thrown: unknown, code: ErrorCode = 'SP_INTERNAL'): GatewayError {
  return thrown instanceof GatewayError ? thrown : new GatewayError(code, { cause: thrown });
}

/** For the default of a switch over a union; fails to compile when a case is missing. */
export function unreachable(value: never): never {
  throw new GatewayError('SP_INTERNAL', { detail: `unexpected value ${String(value)}` });
}
