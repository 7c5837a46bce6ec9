/** HTTP, towards clients and towards targets. The rest of the folder is behind this. */
import type { Capabilities, Protocol } from '#core/protocol.ts';
import type { Target } from '#core/target.ts';
import { AnalysisCache } from './commands-cache.ts';
import { type HttpSettings, httpSettingsSchema } from './config.ts';
import type { Dialect } from './dialect.ts';
import { encodeRefusal } from './refusal.ts';
import { bodyMasker } from './results-body.ts';
import { httpRuntime } from './runtime.ts';
import { webSocketTunnel } from './websocket.ts';

const capabilities: Capabilities = {
  approval: 'hold',
  masking: 'cells',
  recording: 'exchanges',
  survivesDenial: true,
};

const known = new WeakMap<Target, HttpSettings>();

/** Checked again once a target, since targets hold settings of every protocol. */
function settingsOf(target: Target): HttpSettings {
  let settings = known.get(target);
  if (settings === undefined) {
    settings = httpSettingsSchema.parse(target.settings);
    known.set(target, settings);
  }
  return settings;
}

const analyses = new WeakMap<Target, AnalysisCache>();

function analysesOf(target: Target): AnalysisCache {
  let cache = analyses.get(target);
  if (cache === undefined) {
    cache = new AnalysisCache(settingsOf(target));
    analyses.set(target, cache);
  }
  return cache;
}

/** Plain HTTP: facts by method, route, parameters and body. */
const plain: Dialect = {
  settings: settingsOf,
  analyse: (request, { target }) => analysesOf(target).analyse(request),
  fault: () => undefined,
  refusal: encodeRefusal,
  maskedFields: (fields) => fields,
  upgrades: ['websocket'],
  upstreamFields: () => [],
  masker: bodyMasker,
  tunnel: webSocketTunnel,
};

/** HTTP, as the registry knows it. */
export const http: Protocol<HttpSettings> = {
  name: 'http',
  settings: httpSettingsSchema,
  capabilities,
  start: (services) => Promise.resolve(httpRuntime(services, plain)),
};
