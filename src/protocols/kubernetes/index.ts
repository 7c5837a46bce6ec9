/**
 * Kubernetes: HTTP whose requests have a grammar. What both share is in `../http`; here are the
 * facts of a request, the masks of its answers, and what the API server is told of who asks.
 */
import type { SessionContext } from '#core/command.ts';
import { GatewayError } from '#core/errors.ts';
import type { Capabilities, Protocol } from '#core/protocol.ts';
import type { Target } from '#core/target.ts';
import { type Field, looseName } from '#protocols/http/codec/fields.ts';
import type {
  Acceptance,
  Conversation,
  ConversationHost,
  Dialect,
} from '#protocols/http/dialect.ts';
import type { HttpRequest } from '#protocols/http/request.ts';
import { httpRuntime } from '#protocols/http/runtime.ts';
import { analyseRequest, infoOf } from './commands.ts';
import { httpSettingsOf, type KubernetesSettings, kubernetesSettings } from './config.ts';
import { ProgramConversation, type ProgramParts } from './exec.ts';
import { PortConversation } from './port-forward.ts';
import { encodeStatus } from './refusal.ts';
import { acceptedFields, answerMasker } from './results.ts';
import { streamRequest } from './stream-request.ts';
import { agree } from './stream-upgrade.ts';
import { plainCarrier, webSocketCarrier } from './streams/spdy-carrier.ts';
import { SpdyClientStreams } from './streams/spdy-streams.ts';
import { WebSocketStreams } from './streams/websocket-streams.ts';

const capabilities: Capabilities = {
  approval: 'hold',
  masking: 'cells',
  recording: 'exchanges',
  survivesDenial: true,
};

const known = new WeakMap<Target, KubernetesSettings>();

/** Checked again once a target, since targets hold settings of every protocol. */
function settingsOf(target: Target): KubernetesSettings {
  let settings = known.get(target);
  if (settings === undefined) {
    settings = kubernetesSettings.parse(target.settings);
    known.set(target, settings);
  }
  return settings;
}

/** Whoever names another user would act as that user: who acts is the gateway's to say. */
const fault = ({ fields }: HttpRequest): string | undefined =>
  fields.some(({ name }) => looseName(name).startsWith('impersonate-'))
    ? 'impersonation by the client'
    : undefined;

/**
 * The identity as the server's own RBAC and audit log see it. Groups that the server keeps for
 * itself are nobody's but its own.
 */
function impersonation({ target, identity, account, session }: SessionContext): readonly Field[] {
  const { impersonate, impersonateExtra } = settingsOf(target);
  if (impersonate === 'none') return [];
  const groups = identity.groups.filter((group) => !group.startsWith('system:'));
  const names = [
    { name: 'impersonate-user', value: identity.id },
    ...[`sallyport:${account}`, ...groups].map((value) => ({ name: 'impersonate-group', value })),
    ...(impersonateExtra ? [{ name: 'impersonate-extra-sallyport.session', value: session }] : []),
  ];
  for (const { value } of names) {
    if (!/^[\x21-\x7e]+(?: [\x21-\x7e]+)*$/.test(value) || value.startsWith('system:')) {
      const detail = 'a name of the identity cannot be told to the API server';
      throw new GatewayError('SP_UNSUPPORTED', { detail });
    }
  }
  return names;
}

/** Takes up an upgrade for streams into a pod; there is no other. */
function accept(request: HttpRequest): Acceptance {
  const info = infoOf(request);
  const asked = typeof info === 'string' ? info : streamRequest(info);
  if (typeof asked === 'string') throw new GatewayError('SP_UNSUPPORTED', { detail: asked });
  const { carrier, protocol, fields } = agree(request, asked.kind);
  if (asked.kind === 'portforward') {
    const carried = carrier === 'websocket' ? webSocketCarrier : plainCarrier;
    const open = (host: ConversationHost): Conversation =>
      new PortConversation({ host, request, asked, carrier: carried });
    return { fields, open };
  }
  const client: ProgramParts['client'] = (events, send) =>
    carrier === 'websocket'
      ? new WebSocketStreams(protocol, events, send)
      : new SpdyClientStreams(asked.io, events, send);
  return { fields, open: (host) => new ProgramConversation({ host, request, asked, client }) };
}

const dialect: Dialect = {
  settings: (target) => httpSettingsOf(settingsOf(target)),
  fault,
  refusal: encodeStatus,
  analyse: (request, _place, masks) => ({
    facts: analyseRequest(request, masks),
    aliases: new Map(),
  }),
  maskedFields: acceptedFields,
  upstreamFields: impersonation,
  masker: (answered) => answerMasker(answered),
  upgrades: ['websocket', 'spdy/3.1'],
  accept,
  tunnel: () => {
    throw new GatewayError('SP_UNSUPPORTED', { detail: 'an upgrade' });
  },
};

/** Kubernetes, as the registry knows it. */
export const kubernetes: Protocol<KubernetesSettings> = {
  name: 'kubernetes',
  settings: kubernetesSettings,
  capabilities,
  start: (services) => Promise.resolve(httpRuntime(services, dialect)),
};
