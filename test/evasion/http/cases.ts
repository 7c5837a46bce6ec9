/** What a case for HTTP is. */
import { gzipSync } from 'node:zlib';
import { z } from 'zod';

/** One case. */
export interface Case {
  readonly id: string;
  /** Bytes on one connection, or a beginning and a body that is compressed. */
  readonly input: string | { readonly raw_prefix: string; readonly gzip_body: string };
  readonly technique: string;
  readonly effect: string;
  readonly must: 'block' | 'mask' | 'allow';
  readonly tier: 'core' | 'strict' | 'ambiguous';
  /** Which server is behind the gateway: the application, or nginx before it. */
  readonly origin?: string | undefined;
  readonly proof?: Proof | undefined;
}

/** What shows that the intent came about. */
export interface Proof {
  readonly purged?: boolean | undefined;
  readonly deleted?: boolean | undefined;
  readonly deletedAll?: boolean | undefined;
  readonly harmless?: boolean | undefined;
  /** A pattern over all that the client received. */
  readonly out?: string | undefined;
  readonly gunzip2?: string | undefined;
}

/** A case as it stands in a file. */
export const httpCase: z.ZodType<Case> = z.object({
  id: z.string(),
  input: z.union([z.string(), z.strictObject({ raw_prefix: z.string(), gzip_body: z.string() })]),
  technique: z.string(),
  effect: z.string(),
  must: z.enum(['block', 'mask', 'allow']),
  tier: z.enum(['core', 'strict', 'ambiguous']),
  origin: z.enum(['nginx', 'lenient']).optional(),
  proof: z
    .strictObject({
      purged: z.boolean().optional(),
      deleted: z.boolean().optional(),
      deletedAll: z.boolean().optional(),
      harmless: z.boolean().optional(),
      out: z.string().optional(),
      gunzip2: z.string().optional(),
    })
    .optional(),
});

/** The bytes of a case, with a credential behind each request line that begins a request. */
export function bytesOf({ input, technique }: Case, authorization: string): Buffer {
  const field = `Authorization: ${authorization}\r\n`;
  const withProof = (text: string): string =>
    technique.includes('pipelined')
      ? text.replaceAll(/( HTTP\/1\.[01]\r\n)/g, `$1${field}`)
      : text.replace('\r\n', `\r\n${field}`);
  if (typeof input === 'string') return Buffer.from(withProof(input), 'utf8');
  const body = gzipSync(input.gzip_body);
  const head = `${withProof(input.raw_prefix)}Content-Length: ${body.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head, 'utf8'), body]);
}
