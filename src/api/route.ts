/**
 * One entry of the API: everything about a route in one value, from which the server, the checks
 * of rights and the OpenAPI document are made. A route without a line in `roles` cannot be written.
 */
import { z } from 'zod';
import { GatewayError } from '#core/errors.ts';
import type { Identity, Role } from '#core/identity.ts';
import type { ApiServices } from './services.ts';

/** Who may call: `public` without a credential, `anyone` with one, else one of the roles. */
export type Access = 'public' | 'anyone' | readonly Role[];

/** A call whose parts fit the route's schemas. */
export interface Call<Params, Query, Body> {
  /** Who calls; undefined on a public route only. */
  readonly identity: Identity | undefined;
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  readonly address: string;
}

/** A call as it came. */
export type RawCall = Call<unknown, unknown, unknown>;

/** An answer that is not the usual 200 with the route's schema. */
export interface OtherAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** What a handler may give: the rooms' values are read-only throughout. */
type Frozen<T> = T extends readonly (infer Item)[]
  ? readonly Frozen<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: Frozen<T[Key]> }
    : T;

interface RouteShape<Params, Query, Body, Answer> {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** With `{name}` for parameters, as OpenAPI writes it. */
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  readonly access: Access;
  /** How the body is written; JSON unless a standard says otherwise. */
  readonly bodyType?: 'form';
  readonly params?: z.ZodType<Params>;
  readonly query?: z.ZodType<Query>;
  readonly body?: z.ZodType<Body>;
  readonly answer: z.ZodType<Answer>;
  readonly handle: (
    services: ApiServices,
    call: Call<Params, Query, Body>,
  ) => Promise<Frozen<Answer> | Other>;
}

/** Wraps {@link OtherAnswer}, so that no answer of a schema is taken for one. */
export class Other {
  readonly answer: OtherAnswer;

  constructor(answer: OtherAnswer) {
    this.answer = answer;
  }
}

/** A route whose types are checked inside. */
export interface Route {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  readonly access: Access;
  readonly bodyType: 'json' | 'form';
  readonly params: z.ZodType | undefined;
  readonly query: z.ZodType | undefined;
  readonly body: z.ZodType | undefined;
  readonly answer: z.ZodType;
  /** Checks the call, carries it out, and gives what the answer's schema lists, no more. */
  readonly run: (services: ApiServices, call: RawCall) => Promise<OtherAnswer>;
}

/** Declares a route. */
export function route<Params = undefined, Query = undefined, Body = undefined, Answer = unknown>(
  shape: RouteShape<Params, Query, Body, Answer>,
): Route {
  const { params, query, body, answer } = shape;
  return {
    method: shape.method,
    path: shape.path,
    tag: shape.tag,
    summary: shape.summary,
    access: shape.access,
    bodyType: shape.bodyType ?? 'json',
    params,
    query,
    body,
    answer,
    async run(services, call) {
      const result = await shape.handle(services, {
        identity: call.identity,
        address: call.address,
        params: checked(params, call.params, 'path'),
        query: checked(query, call.query, 'query'),
        body: checked(body, call.body, 'body'),
      });
      if (result instanceof Other) return result.answer;
      return { status: 200, body: answer.parse(result) };
    },
  };
}

function checked<Part>(schema: z.ZodType<Part> | undefined, value: unknown, where: string): Part {
  // A part without a schema has the type undefined, and so has what is given for it.
  const result = (schema ?? z.custom<Part>()).safeParse(schema === undefined ? undefined : value);
  if (result.success) return result.data;
  const problems = result.error.issues.slice(0, 5).map(({ path, message }) => {
    return path.length === 0 ? message : `${path.map(String).join('.')}: ${message}`;
  });
  throw new GatewayError('SP_BAD_REQUEST', { detail: `${where}: ${problems.join('; ')}` });
}

/** Who calls a route that is not public. */
export function caller({ identity }: { readonly identity: Identity | undefined }): Identity {
  if (identity === undefined) throw new GatewayError('SP_INTERNAL', { detail: 'nobody calls' });
  return identity;
}
