/**
 * What a client may ask for when it starts: who it is, where it wants to go, and how values are
 * shown. Everything else changes what later statements mean or do, so it is refused by name: a
 * list of what is allowed, never of what is forbidden.
 */
import { GatewayError } from '#core/errors.ts';
import { readOptions } from './codec/startup-options.ts';

export interface StartupRequest {
  /** As sent: `account@target`, or the account on a bound listener. */
  readonly user: string;
  /** Empty when the client named none. */
  readonly database: string;
  readonly applicationName: string;
  readonly holdMode: 'wait' | 'refuse';
  /** Id of the credential that the client will prove by SCRAM. */
  readonly credential: string | undefined;
  /** For the server: allow-listed, lower-case names. Never `client_encoding`, which is pinned. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** How values and notices are shown; none changes what a statement does. */
const display: ReadonlySet<string> = new Set([
  'application_name',
  'client_min_messages',
  'datestyle',
  'extra_float_digits',
  'intervalstyle',
  'timezone',
]);

const nameBytesMax = 512;
const valueBytesMax = 1024;
const credentialId = /^[A-Za-z0-9_-]{1,128}$/;

/**
 * @throws GatewayError with PostgreSQL's reason in its detail.
 */
export function readStartupParameters(sent: ReadonlyMap<string, string>): StartupRequest {
  const user = sent.get('user') ?? '';
  if (user === '') {
    throw new GatewayError('SP_BAD_REQUEST', {
      detail: 'no PostgreSQL user name specified in startup packet',
    });
  }
  const database = sent.get('database') ?? '';
  if (user.length > nameBytesMax || database.length > nameBytesMax) {
    throw new GatewayError('SP_BAD_REQUEST', { detail: 'a user or database name is too long' });
  }
  const settings = new Map<string, string>();
  const add = (name: string, value: string): void => {
    if (settings.has(name)) {
      throw new GatewayError('SP_BAD_REQUEST', { detail: `parameter "${name}" comes twice` });
    }
    settings.set(name, value);
  };
  for (const [name, value] of sent) {
    if (name === 'user' || name === 'database') continue;
    if (name === 'replication') refuseReplication(value);
    else if (name === 'options') for (const [key, text] of readOptions(value)) add(key, text);
    else add(name.toLowerCase(), value);
  }
  return { user, ...readSettings(settings), database: database === user ? '' : database };
}

function readSettings(
  settings: ReadonlyMap<string, string>,
): Omit<StartupRequest, 'user' | 'database'> {
  const parameters = new Map<string, string>();
  let holdMode: 'wait' | 'refuse' = 'wait';
  let credential: string | undefined;
  for (const [name, value] of settings) {
    if (value.length > valueBytesMax) throw invalid(name);
    if (name === 'sallyport.hold') {
      if (value !== 'wait' && value !== 'refuse') throw invalid(name);
      holdMode = value;
    } else if (name === 'sallyport.credential') {
      if (!credentialId.test(value)) throw invalid(name);
      credential = value;
    } else if (name === 'client_encoding') {
      if (!isUtf8(value)) {
        throw new GatewayError('SP_UNSUPPORTED', { detail: 'client_encoding other than UTF8' });
      }
    } else if (name === 'standard_conforming_strings') {
      // Pinned: statements are read under this setting alone.
      if (value !== 'on') throw invalid(name);
    } else if (display.has(name)) {
      parameters.set(name, value);
    } else {
      throw new GatewayError('SP_FORBIDDEN', {
        detail: `parameter "${name.slice(0, 64)}" cannot be set at start-up`,
      });
    }
  }
  const applicationName = parameters.get('application_name') ?? '';
  return { applicationName, holdMode, credential, parameters };
}

/** PostgreSQL ignores everything but letters and digits: drivers send `'utf-8'`, quotes and all. */
function isUtf8(value: string): boolean {
  const plain = value.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
  return plain === 'utf8' || plain === 'unicode';
}

function refuseReplication(value: string): void {
  if (/^(?:false|off|no|0)$/i.test(value)) return;
  throw new GatewayError('SP_UNSUPPORTED', { detail: 'a replication connection' });
}

const invalid = (name: string): GatewayError =>
  new GatewayError('SP_BAD_REQUEST', { detail: `invalid value for parameter "${name}"` });
