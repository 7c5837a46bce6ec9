/** What a case for PostgreSQL is. */
import { z } from 'zod';

type Value = string | null | { readonly hex: string };
type Formats = readonly (0 | 1)[];

/** One message of the client, by the name of what it is. */
export type Frame =
  | { readonly query: string }
  | { readonly query_hex: string }
  | {
      readonly query_repeat: {
        readonly prefix: string;
        readonly unit: string;
        readonly times: number;
        readonly suffix: string;
      };
    }
  | {
      readonly parse: {
        readonly name?: string | undefined;
        readonly sql: string;
        /** Numbers, or names of types whose numbers the database gives. */
        readonly types?: readonly (number | string)[] | undefined;
      };
    }
  | {
      readonly bind: {
        readonly portal?: string | undefined;
        readonly statement?: string | undefined;
        readonly params?: readonly Value[] | undefined;
        readonly param_formats?: Formats | undefined;
        readonly result_formats?: Formats | undefined;
      };
    }
  | { readonly describe: Named }
  | { readonly close: Named }
  | {
      readonly execute: {
        readonly portal?: string | undefined;
        readonly max_rows?: number | undefined;
      };
    }
  | { readonly sync: true }
  | { readonly flush: true }
  | {
      readonly function_call: {
        readonly oid: string | number;
        readonly args: readonly Value[];
        readonly result_format?: number | undefined;
      };
    }
  | { readonly copy_data: string }
  | { readonly copy_done: true }
  | { readonly copy_fail: string }
  /** Bytes as they are, a message or not. */
  | { readonly raw_hex: string }
  /** No message: what somebody else does at the server meanwhile, as its superuser. */
  | { readonly elsewhere: string }
  /** No message: time passes, for what the gateway looks at only now and then. */
  | { readonly wait_ms: number };

interface Named {
  readonly kind: 'S' | 'P';
  readonly name?: string | undefined;
}

/** What shows that the intent came about; all that is given has to hold. */
interface Proof {
  /** A query whose one value tells that it happened. */
  readonly sql?: string | undefined;
  readonly equals?: string | null | undefined;
  /** A pattern over all that the client received. */
  readonly out?: string | undefined;
  readonly outbytes?: number | undefined;
  readonly file?: string | undefined;
  /** It never came back. */
  readonly timeout?: boolean | undefined;
  /** A table that is locked while the connection is open. */
  readonly lock?: string | undefined;
  readonly unchanged?: boolean | undefined;
  readonly no_error?: boolean | undefined;
}

export interface Case {
  readonly id: string;
  readonly protocol: 'postgres';
  /** A text is one simple query. */
  readonly input: string | readonly Frame[];
  readonly intent: string;
  readonly effect: string;
  readonly technique: string;
  readonly must: 'block' | 'mask' | 'allow';
  /** Whether the intent was seen at a server without a gateway. */
  readonly verified: boolean;
  readonly tier: 'core' | 'strict' | 'ambiguous';
  readonly proof: Proof;
  readonly startup?: Readonly<Record<string, string>> | undefined;
  /** Sent before. */
  readonly pre?: readonly Frame[] | undefined;
  /** Longest wait for an answer. */
  readonly ms?: number | undefined;
  /** Run by the superuser afterwards: for what a database's end does not undo. */
  readonly cleanup?: string | undefined;
  /** A function by its signature, whose oid a function call uses. */
  readonly fn_oid?: string | undefined;
  readonly subst_db?: boolean | undefined;
  /** Another session is open meanwhile. */
  readonly victim?: boolean | undefined;
  readonly keep_open?: boolean | undefined;
  /** Rows differ from run to run: only their number and shape are compared. */
  readonly varies?: boolean | undefined;
  /** The server itself answers with an error. */
  readonly errs?: boolean | undefined;
  /** Servers that have what the case needs; all when absent. */
  readonly versions?: readonly number[] | undefined;
}

const formats = z.array(z.union([z.literal(0), z.literal(1)])).optional();
const value = z.union([z.string(), z.null(), z.strictObject({ hex: z.string() })]);
const named = z.strictObject({ kind: z.enum(['S', 'P']), name: z.string().optional() });

const frame: z.ZodType<Frame> = z.union([
  z.strictObject({ query: z.string() }),
  z.strictObject({ query_hex: z.string() }),
  z.strictObject({
    query_repeat: z.strictObject({
      prefix: z.string(),
      unit: z.string(),
      times: z.int(),
      suffix: z.string(),
    }),
  }),
  z.strictObject({
    parse: z.strictObject({
      name: z.string().optional(),
      sql: z.string(),
      types: z.array(z.union([z.int(), z.string()])).optional(),
    }),
  }),
  z.strictObject({
    bind: z.strictObject({
      portal: z.string().optional(),
      statement: z.string().optional(),
      params: z.array(value).optional(),
      param_formats: formats,
      result_formats: formats,
    }),
  }),
  z.strictObject({ describe: named }),
  z.strictObject({ close: named }),
  z.strictObject({
    execute: z.strictObject({ portal: z.string().optional(), max_rows: z.int().optional() }),
  }),
  z.strictObject({ sync: z.literal(true) }),
  z.strictObject({ flush: z.literal(true) }),
  z.strictObject({
    function_call: z.strictObject({
      oid: z.union([z.string(), z.number()]),
      args: z.array(value),
      result_format: z.int().optional(),
    }),
  }),
  z.strictObject({ copy_data: z.string() }),
  z.strictObject({ copy_done: z.literal(true) }),
  z.strictObject({ copy_fail: z.string() }),
  z.strictObject({ raw_hex: z.string() }),
  z.strictObject({ elsewhere: z.string() }),
  z.strictObject({ wait_ms: z.int() }),
]);

const proof = z.strictObject({
  sql: z.string().optional(),
  equals: z.string().nullable().optional(),
  out: z.string().optional(),
  outbytes: z.int().optional(),
  file: z.string().optional(),
  timeout: z.boolean().optional(),
  lock: z.string().optional(),
  unchanged: z.boolean().optional(),
  no_error: z.boolean().optional(),
});

/** A case as it stands in a file. */
export const postgresCase: z.ZodType<Case> = z.strictObject({
  id: z.string(),
  protocol: z.literal('postgres'),
  input: z.union([z.string(), z.array(frame)]),
  intent: z.string(),
  effect: z.string(),
  technique: z.string(),
  must: z.enum(['block', 'mask', 'allow']),
  verified: z.boolean(),
  tier: z.enum(['core', 'strict', 'ambiguous']),
  proof,
  startup: z.record(z.string(), z.string()).optional(),
  pre: z.array(frame).optional(),
  ms: z.int().optional(),
  cleanup: z.string().optional(),
  fn_oid: z.string().optional(),
  subst_db: z.boolean().optional(),
  victim: z.boolean().optional(),
  keep_open: z.boolean().optional(),
  varies: z.boolean().optional(),
  errs: z.boolean().optional(),
  versions: z.array(z.int()).optional(),
});

/** The messages of a case; a text alone is one simple query. */
export const framesOf = (one: Case): readonly Frame[] =>
  typeof one.input === 'string' ? [{ query: one.input }] : one.input;
