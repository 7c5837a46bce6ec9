/**
 * The commands' side of the HTTP API. The token comes from the environment or a file, never from
 * the command line, where every process of the host could read it.
 */
import { printableLine } from '#core/printable.ts';
import type { Secret } from '#core/secret.ts';
import { reporting, type TextOutput } from './output.ts';

export interface ApiClientOptions {
  /** For example `http://127.0.0.1:7080`. */
  readonly url: string;
  /** Undefined where a call needs none. */
  readonly token: Secret | undefined;
  readonly fetch: (url: string, options: RequestInit) => Promise<Response>;
}

/** A JSON object as it came. */
export type Fields = Readonly<Record<string, unknown>>;

const ANSWER_BYTES_MAX = 64 * 1024 * 1024;
const WAIT_MS_MAX = 30_000;

/** A problem that the API answered, in its own words. */
export class ApiProblem extends Error {
  /** Of the answer; 0 when there was none. */
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = 'ApiProblem';
    this.status = status;
  }
}

export class ApiClient {
  readonly #options: ApiClientOptions;

  constructor(options: ApiClientOptions) {
    this.#options = options;
  }

  get(path: string): Promise<Fields> {
    return this.#call('GET', path, undefined);
  }

  post(path: string, body: Fields | URLSearchParams): Promise<Fields> {
    return this.#call('POST', path, body);
  }

  delete(path: string): Promise<Fields> {
    return this.#call('DELETE', path, undefined);
  }

  async #call(
    method: string,
    path: string,
    body: Fields | URLSearchParams | undefined,
  ): Promise<Fields> {
    const { url, token, fetch } = this.#options;
    const isForm = body instanceof URLSearchParams;
    let response: Response;
    try {
      response = await fetch(new URL(path, url).href, {
        method,
        redirect: 'error',
        signal: AbortSignal.timeout(WAIT_MS_MAX),
        headers: {
          ...(token === undefined ? {} : { authorization: `Bearer ${token.reveal()}` }),
          ...(body === undefined || isForm ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: isForm ? body : JSON.stringify(body) }),
      });
    } catch {
      throw new ApiProblem(0, `no gateway answers at ${url}`);
    }
    const fields = await readFields(response);
    if (response.ok) return fields;
    throw problemOf(response.status, fields);
  }
}

async function readFields(response: Response): Promise<Fields> {
  const length = Number(response.headers.get('content-length') ?? 0);
  if (length > ANSWER_BYTES_MAX) throw new ApiProblem(0, 'the answer is too large');
  const value: unknown = await response.json().catch(() => undefined);
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function problemOf(status: number, fields: Fields): ApiProblem {
  const { title, detail, error, error_description: description } = fields;
  const words = [title ?? error ?? `the gateway answered ${status}`, detail ?? description];
  const message = words.filter((word) => typeof word === 'string').join(': ');
  return new ApiProblem(status, message);
}

/** Text of a field; empty when it is not there. */
export const textOf = (fields: Fields, name: string): string =>
  typeof fields[name] === 'string' ? fields[name] : '';

/** A time of a field, as people read it; empty when it is not there. */
export const timeOf = (fields: Fields, name: string): string =>
  typeof fields[name] === 'number' ? new Date(fields[name]).toISOString() : '';

/** Objects of a list; what is not one is left out. */
export function listOf(fields: Fields, name: string): readonly Fields[] {
  const value = fields[name];
  if (!Array.isArray(value)) return [];
  return value.flatMap((item: unknown) =>
    typeof item === 'object' && item !== null ? [{ ...item }] : [],
  );
}

/** Runs a command. Exit codes: 0 done, 1 refused or failed, 4 not logged in. */
export async function command(output: TextOutput, run: () => Promise<void>): Promise<number> {
  return reporting(output, async () => {
    try {
      await run();
      return 0;
    } catch (thrown) {
      if (!(thrown instanceof ApiProblem)) throw thrown;
      output.error(printableLine(thrown.message));
      return thrown.status === 401 ? 4 : 1;
    }
  });
}
