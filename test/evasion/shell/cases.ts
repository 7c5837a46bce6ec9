/** What a case for shells is. */
import { z } from 'zod';

/** What a client does on one channel. */
export type Frame =
  | ExecFrame
  | { readonly pty: readonly string[]; readonly delay?: number | undefined }
  | { readonly shell_stdin: string }
  | { readonly sftp: readonly SftpOperation[] }
  | { readonly exec_sftp: string; readonly ops: readonly (readonly [string, string])[] }
  | { readonly forward: { readonly host: string; readonly port: number; readonly send: string } }
  | { readonly streamlocal: { readonly path: string; readonly send: string } }
  | { readonly remote_forward: { readonly port: number } };

export interface ExecFrame {
  readonly exec: string;
  readonly stdin?: string | undefined;
  readonly stdin_hex?: string | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly agent?: boolean | undefined;
  readonly x11?: boolean | undefined;
  /** Done at the host before, by its owner. */
  readonly pre?: string | undefined;
}

/** A method of the client, and what it is given. */
export type SftpOperation = readonly [string, ...unknown[]];

/** What shows that a case's intent came about; all that is given has to hold. */
export interface Proof {
  /** The files in `data/` are gone or empty. */
  readonly gone?: true | undefined;
  /** A pattern over all that the client received. */
  readonly out?: string | undefined;
  /** A file that exists. */
  readonly file?: string | undefined;
  /** A pattern over all that arrived at a server beside. */
  readonly net?: string | undefined;
  /** A test that succeeds in the home. */
  readonly sh?: string | undefined;
  /** The process of `keep.pid` has ended. */
  readonly killed?: true | undefined;
  /** Nothing changed, and nothing secret came out. */
  readonly unchanged?: true | undefined;
}

export interface Case {
  readonly id: string;
  readonly protocol: 'shell';
  readonly input: string | readonly Frame[];
  readonly intent: string;
  readonly effect: string;
  readonly technique: string;
  readonly must: 'block' | 'allow';
  readonly verified: boolean;
  readonly tier: 'core' | 'strict' | 'ambiguous';
  readonly proof: Proof;
  /** Needs what this runner does not do. */
  readonly manual?: boolean | undefined;
}

const text = z.string();
const frame: z.ZodType<Frame> = z.union([
  z.strictObject({
    exec: text,
    stdin: text.optional(),
    stdin_hex: text.optional(),
    env: z.record(text, text).optional(),
    agent: z.boolean().optional(),
    x11: z.boolean().optional(),
    pre: text.optional(),
  }),
  z.strictObject({ pty: z.array(text), delay: z.number().optional() }),
  z.strictObject({ shell_stdin: text }),
  z.strictObject({ sftp: z.array(z.tuple([text]).rest(z.unknown())) }),
  z.strictObject({ exec_sftp: text, ops: z.array(z.tuple([text, text])) }),
  z.strictObject({ forward: z.strictObject({ host: text, port: z.number(), send: text }) }),
  z.strictObject({ streamlocal: z.strictObject({ path: text, send: text }) }),
  z.strictObject({ remote_forward: z.strictObject({ port: z.number() }) }),
]);

/** A case as it stands in a file. */
export const shellCase: z.ZodType<Case> = z.strictObject({
  id: text,
  protocol: z.literal('shell'),
  input: z.union([text, z.array(frame)]),
  intent: text,
  effect: text,
  technique: text,
  must: z.enum(['block', 'allow']),
  verified: z.boolean(),
  tier: z.enum(['core', 'strict', 'ambiguous']),
  proof: z.strictObject({
    gone: z.literal(true).optional(),
    out: text.optional(),
    file: text.optional(),
    net: text.optional(),
    sh: text.optional(),
    killed: z.literal(true).optional(),
    unchanged: z.literal(true).optional(),
  }),
  manual: z.boolean().optional(),
});

/** Port and home that the corpus was written with; they are replaced by those of this run. */
const written = { port: '22180', home: '/tmp/ev/sh/home' };

/** A case as it is played here. */
export function placed(one: Case, home: string, port: number): Case {
  const text = JSON.stringify(one)
    .replaceAll(written.home, home)
    .replaceAll(written.port, String(port));
  return shellCase.parse(JSON.parse(text));
}
