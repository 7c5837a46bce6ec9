/**
 * Analyses of requests without a body, by everything that the analysis looks at: agents ask the
 * same again and again, and equal facts let the policy's verdict be found again too.
 */
import { httpLimits } from '#core/limits.ts';
import { analyseRequest, saysAnotherMethod } from './commands.ts';
import type { HttpSettings } from './config.ts';
import type { RequestAnalysis } from './dialect.ts';
import { openApiOf } from './openapi.ts';
import type { HttpRequest } from './request.ts';

/** The analyses under one target's settings. */
export class AnalysisCache {
  readonly #settings: HttpSettings;
  /** Whether fields of the head decide facts. */
  readonly #readsFields: boolean;
  readonly #known = new Map<string, RequestAnalysis>();

  constructor(settings: HttpSettings) {
    this.#settings = settings;
    this.#readsFields = openApiOf(settings)?.readsFields === true;
  }

  /** As `analyseRequest`. */
  analyse(request: HttpRequest): RequestAnalysis {
    const isMore = this.#readsFields || saysAnotherMethod(request.fields);
    if (request.body.kind !== 'none' || isMore) {
      return analyseRequest(request, this.#settings);
    }
    const { method, path, query, upgrade = '' } = request;
    // No method or protocol has a space, no path a question mark: two requests never share a key.
    const key = `${method} ${upgrade} ${path}${query === undefined ? '' : `?${query}`}`;
    let analysis = this.#known.get(key);
    if (analysis === undefined) {
      analysis = analyseRequest(request, this.#settings);
      const [oldest] = this.#known.keys();
      if (this.#known.size >= httpLimits.analysesMax && oldest !== undefined) {
        this.#known.delete(oldest);
      }
      this.#known.set(key, analysis);
    }
    return analysis;
  }
}
