/**
 * The settings that an HTTP target has besides those of every target: how clients name it, how the
 * gateway authenticates there, and what it may pass that it cannot read.
 */
import { z } from 'zod';
import type { Effect } from '#core/facts.ts';
import type { SettingsSchema } from '#core/protocol.ts';
import { openApiOf } from './openapi.ts';

/** What the operator knows of one route; `path` may have `{names}` in place of segments. */
export interface RouteSetting {
  readonly method?: string | undefined;
  readonly path: string;
  readonly operation?: string | undefined;
  readonly effects?: readonly Effect[] | undefined;
  readonly textUnderMasks?: 'refuse' | 'content' | undefined;
  readonly body?: 'whole' | 'stream' | undefined;
}

export interface HttpSettings {
  readonly hosts: readonly string[];
  readonly prefix?: string | undefined;
  readonly upstreamHost?: string | undefined;
  readonly upstreamHttp: '1.1' | '2' | 'auto';
  readonly authentication: 'bearer' | 'basic' | 'header' | 'none';
  readonly authenticationHeader?: string | undefined;
  readonly bodyBytesMax: number;
  readonly largeBodies: 'refuse' | 'stream';
  readonly textUnderMasks: 'refuse' | 'content';
  readonly passTypes: readonly string[];
  readonly graphql: readonly string[];
  readonly routes: readonly RouteSetting[];
  readonly openapi?: unknown;
  readonly allowLinkLocal: boolean;
}

const MiB = 1024 * 1024;

/** What a route can be said to do. */
const routeEffects = [
  'read',
  'insert',
  'update',
  'delete',
  'delete-all',
  'create',
  'alter',
  'drop',
  'grant',
  'execute-code',
  'file-read',
  'file-write',
  'network',
  'session',
  'admin',
] as const satisfies readonly Effect[];

/** A host name by which clients reach a target. */
export const hostName: z.ZodType<string> = z
  .string()
  .regex(/^[a-z0-9.-]+$/, 'a host name in lower case, without a port');
/** The beginning of a path by which clients reach a target: whole segments, with slashes around. */
export const pathPrefix: z.ZodString = z
  .string()
  .regex(/^\/[A-Za-z0-9._~-]+(\/[A-Za-z0-9._~-]+)*\/$/);
const route: z.ZodType<RouteSetting> = z.strictObject({
  method: z
    .string()
    .regex(/^[A-Z]+$/)
    .optional(),
  path: z.string().startsWith('/'),
  operation: z.string().min(1).optional(),
  effects: z.array(z.enum(routeEffects)).optional(),
  textUnderMasks: z.enum(['refuse', 'content']).optional(),
  body: z.enum(['whole', 'stream']).optional(),
});

/** Reads {@link HttpSettings}; the descriptions are the documentation of the configuration. */
export const httpSettings: z.ZodType<HttpSettings> = z
  .strictObject({
    hosts: z.array(hostName).default([]).describe('Host names by which clients reach this target.'),
    prefix: pathPrefix
      .optional()
      .describe('Path by which clients reach it, `/grafana/`; taken off before it is judged.'),
    upstreamHost: z
      .string()
      .regex(/^[A-Za-z0-9.:[\]-]+$/)
      .optional()
      .describe('Host that the target is told. Default: its own address.'),
    upstreamHttp: z
      .enum(['1.1', '2', 'auto'])
      .default('1.1')
      .describe(
        'What the target is spoken to in: HTTP/1.1, which costs least; HTTP/2, which gRPC needs; ' +
          'or over TLS what it chooses. WebSocket needs HTTP/1.1.',
      ),
    authentication: z
      .enum(['bearer', 'basic', 'header', 'none'])
      .default('bearer')
      .describe('How the password of the account is shown to the target.'),
    authenticationHeader: z
      .string()
      .regex(/^[A-Za-z0-9-]+$/)
      .optional()
      .describe('The field that carries the password, for `authentication: header`.'),
    bodyBytesMax: z
      .int()
      .positive()
      .max(16 * MiB)
      .default(MiB)
      .describe('Body of a request that is read whole, judged and then sent.'),
    largeBodies: z
      .enum(['refuse', 'stream'])
      .default('refuse')
      .describe('A larger one is refused, or sent unread; then the analysis is `partial`.'),
    textUnderMasks: z
      .enum(['refuse', 'content'])
      .default('refuse')
      .describe('Text in which no fields are found, while fields are masked; or by content alone.'),
    passTypes: z
      .array(z.string())
      .default(['image/png', 'image/jpeg', 'image/gif', 'image/webp', 'image/x-icon', 'font/'])
      .describe('Media types, or their beginnings, that pass unread under masks.'),
    graphql: z.array(z.string()).default(['/graphql']).describe('Paths that take GraphQL.'),
    routes: z.array(route).default([]).describe('What single routes are called and do.'),
    openapi: z
      .union([z.string(), z.record(z.string(), z.unknown())])
      .optional()
      .describe(
        'OpenAPI document of the target, as `file:PATH` or in place: it names routes, operations ' +
          'and parameters, and what it does not have is `partial`.',
      ),
    allowLinkLocal: z
      .boolean()
      .default(false)
      .describe('Lets the address be a link-local or cloud metadata address.'),
  })
  .superRefine((settings, context) => {
    if (settings.authentication === 'header' && settings.authenticationHeader === undefined) {
      context.addIssue({ code: 'custom', message: 'authentication header needs its name' });
    }
  })
  .describe('Settings of an HTTP target.');

/** The same with what can only be checked by reading it. */
export const httpSettingsSchema: SettingsSchema<HttpSettings> = {
  // Of documents, the settings hold the text.
  files: ['openapi'],
  parse(input) {
    const settings = httpSettings.parse(input);
    openApiOf(settings);
    return settings;
  },
};
