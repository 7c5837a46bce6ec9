/** What a case for Kubernetes is. */
import { z } from 'zod';

/** One request; those of a case follow each other on one connection. */
export interface Request {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string | string[]>> | undefined;
  readonly body?: string | undefined;
  readonly body_hex?: string | undefined;
  /** Sent compressed, and said to be. */
  readonly body_gzip?: string | undefined;
}

/** What shows, without a gateway, that the intent came about. */
export interface Proof {
  /** Something that the administrator can see is another than before. */
  readonly changed?: true | undefined;
  /** The kubelet was asked. */
  readonly reached?: true | undefined;
  /** A pattern over all that the client received. */
  readonly out?: string | undefined;
  /** Why this server does not do it, where others do. */
  readonly elsewhere?: string | undefined;
}

export interface Case {
  readonly id: string;
  readonly protocol: 'kubernetes';
  readonly input: readonly Request[];
  readonly intent: string;
  readonly effect: string;
  readonly technique: string;
  readonly must: 'block' | 'mask' | 'allow';
  readonly verified: boolean;
  readonly tier: 'core' | 'strict' | 'ambiguous';
  /** Not in the labelled corpus. */
  readonly proof?: Proof | undefined;
}

const text = z.string();

/** A case as it stands in a file. */
export const kubernetesCase: z.ZodType<Case> = z.strictObject({
  id: text,
  protocol: z.literal('kubernetes'),
  input: z.array(
    z.strictObject({
      method: text,
      path: text,
      headers: z.record(text, z.union([text, z.array(text)])).optional(),
      body: text.optional(),
      body_hex: text.optional(),
      body_gzip: text.optional(),
      same_connection: z.literal(true).optional(),
    }),
  ),
  intent: text,
  effect: text,
  technique: text,
  must: z.enum(['block', 'mask', 'allow']),
  verified: z.boolean(),
  tier: z.enum(['core', 'strict', 'ambiguous']),
  proof: z
    .strictObject({
      changed: z.literal(true).optional(),
      reached: z.literal(true).optional(),
      out: text.optional(),
      elsewhere: text.optional(),
    })
    .optional(),
});

/** A case in a namespace of its own: `app`, as a word, is that namespace. */
export function placed(one: Case, namespace: string): Case {
  const input = JSON.stringify(one.input)
    .replaceAll(/\/namespaces\/app\b/g, `/namespaces/${namespace}`)
    .replaceAll(
      /((?:\\"(?:namespace|name)\\"|\bnamespace|\bname): ?(?:\\")?)app\b/g,
      `$1${namespace}`,
    );
  return { ...one, input: JSON.parse(input) };
}
