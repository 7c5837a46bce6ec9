/** The settings of a Kubernetes target: how clients reach it, and as whom the API server sees them. */
import { z } from 'zod';
import { hostName, type HttpSettings, pathPrefix } from '#protocols/http/config.ts';

export interface KubernetesSettings {
  readonly hosts: readonly string[];
  readonly prefix?: string | undefined;
  readonly impersonate: 'identity' | 'none';
  readonly impersonateExtra: boolean;
  readonly bodyBytesMax: number;
}

const MiB = 1024 * 1024;

/** Reads {@link KubernetesSettings}; the descriptions are the documentation of the configuration. */
export const kubernetesSettings: z.ZodType<KubernetesSettings> = z
  .strictObject({
    hosts: z
      .array(hostName)
      .default([])
      .describe('Host names by which clients reach this cluster.'),
    prefix: pathPrefix
      .optional()
      .describe('Path by which clients reach it, `/k/prod/`; taken off before it is judged.'),
    impersonate: z
      .enum(['identity', 'none'])
      .default('identity')
      .describe(
        'As whom the API server sees a request: the identity, with its groups and the group ' +
          '`sallyport:ACCOUNT`, by impersonation; or the account itself.',
      ),
    impersonateExtra: z
      .boolean()
      .default(false)
      .describe(
        "Tells the server's audit log the session, as the extra `sallyport.session`. The account " +
          'then needs the right to impersonate `userextras/sallyport.session`.',
      ),
    bodyBytesMax: z
      .int()
      .positive()
      .max(16 * MiB)
      .default(3 * MiB)
      .describe('Body of a request; a larger one is refused. The server itself takes 3 MiB.'),
  })
  .describe('Settings of a Kubernetes target.');

/** The same as the room of HTTP wants it. */
export function httpSettingsOf(settings: KubernetesSettings): HttpSettings {
  const { hosts, prefix, bodyBytesMax } = settings;
  return {
    hosts,
    prefix,
    upstreamHttp: '1.1',
    authentication: 'bearer',
    bodyBytesMax,
    largeBodies: 'refuse',
    // Logs have no fields; what is masked in objects is masked by path.
    textUnderMasks: 'content',
    passTypes: [],
    graphql: [],
    routes: [],
    allowLinkLocal: false,
  };
}
