/** Bounds of HTTP/2, from those of HTTP: a head gains a few fields when it is told as HTTP/1.1. */
import type { ClientSessionOptions, ServerSessionOptions } from 'node:http2';
import { httpLimits } from '#core/limits.ts';

const GAINED_FIELDS = 8;
const GAINED_BYTES = 4 * 1024;
const MiB = 1024 * 1024;

/** What a head may be once it is told as HTTP/1.1. */
export const http2Bounds: { readonly headBytesMax: number; readonly fieldsMax: number } = {
  headBytesMax: httpLimits.headBytesMax + GAINED_BYTES,
  fieldsMax: httpLimits.fieldsMax + GAINED_FIELDS,
};

/** The same for a connection to a target, which pushes nothing. */
export const clientOptions: ClientSessionOptions = {
  settings: { enablePush: false, maxHeaderListSize: httpLimits.headBytesMax },
  maxHeaderListPairs: httpLimits.fieldsMax,
  maxOutstandingPings: 10,
  maxSessionMemory: httpLimits.streamMemoryBytesMax / MiB,
  maxSettings: 16,
};

/** What `node:http2` bounds: above it a stream is refused or the connection ends. */
export const sessionOptions: ServerSessionOptions = {
  settings: {
    maxConcurrentStreams: httpLimits.streamsMax,
    maxHeaderListSize: httpLimits.headBytesMax,
    enableConnectProtocol: false,
  },
  maxHeaderListPairs: httpLimits.fieldsMax,
  maxOutstandingPings: 10,
  maxSessionInvalidFrames: 100,
  maxSessionMemory: httpLimits.streamMemoryBytesMax / MiB,
  maxSessionRejectedStreams: 100,
  maxSettings: 16,
  // Streams that a client opens and takes back cost work that nobody asked for (CVE-2023-44487).
  streamResetBurst: httpLimits.streamResetsMax,
  streamResetRate: httpLimits.streamResetsPerSecondMax,
};
