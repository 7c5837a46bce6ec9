/**
 * What a client asks for that opens streams into a pod: `exec`, `attach`, `port-forward`. Read from
 * the request once; judged, and asked of the API server, in this one form. Pure.
 */
import { isOn, type RequestInfo } from './facts/request-info.ts';

/** A program's standard streams. */
export interface StandardStreams {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** With a terminal standard error is part of standard output. */
  readonly tty: boolean;
}

interface Pod {
  readonly namespace: string;
  readonly pod: string;
  /** Empty for the pod's own choice. */
  readonly container: string;
}

/** Streams into a pod. */
export type StreamRequest =
  | (Pod & {
      readonly kind: 'exec';
      readonly argv: readonly string[];
      readonly io: StandardStreams;
    })
  | (Pod & { readonly kind: 'attach'; readonly io: StandardStreams })
  | (Pod & { readonly kind: 'portforward'; readonly ports: readonly number[] });

/** A request for the streams of a program. */
export type ProgramRequest = Extract<StreamRequest, { readonly io: StandardStreams }>;
/** A request for connections to ports. */
export type PortRequest = Extract<StreamRequest, { readonly kind: 'portforward' }>;

const parameters: Readonly<Record<StreamRequest['kind'], readonly string[]>> = {
  exec: ['command', 'container', 'stdin', 'stdout', 'stderr', 'tty'],
  attach: ['container', 'stdin', 'stdout', 'stderr', 'tty'],
  portforward: ['ports'],
};

/**
 * Reads a request.
 *
 * @returns why it is none that is known, in words for a person, when it is not.
 */
export function streamRequest(info: RequestInfo): StreamRequest | string {
  const { group, version, resource, subresource: kind, namespace, name, query } = info;
  if (kind !== 'exec' && kind !== 'attach' && kind !== 'portforward') return 'an upgrade';
  const isPod = group === '' && version === 'v1' && resource === 'pods';
  if (!isPod || namespace === '' || name === '') return `${kind} of something that is no pod`;
  const unknown = [...query.keys()].find((key) => !parameters[kind].includes(key));
  if (unknown !== undefined) return `the parameter ${unknown.slice(0, 40)}`;
  const pod = { namespace, pod: name, container: query.get('container')?.[0] ?? '' };
  if (kind === 'portforward') return portRequest(pod, query.get('ports') ?? []);
  const on = (key: string): boolean => isOn(query.get(key));
  const tty = on('tty');
  const io = { stdin: on('stdin'), stdout: on('stdout'), stderr: on('stderr') && !tty, tty };
  if (!io.stdin && !io.stdout && !io.stderr) return `${kind} without streams`;
  if (kind === 'attach') return { ...pod, kind, io };
  const argv = query.get('command') ?? [];
  return argv.length === 0 ? 'exec without a command' : { ...pod, kind, argv, io };
}

function portRequest(pod: Pod, values: readonly string[]): PortRequest | string {
  const ports = values.flatMap((value) => value.split(',')).map(portNumber);
  const known = ports.filter((port) => port !== undefined);
  return known.length < ports.length ? 'a port' : { ...pod, kind: 'portforward', ports: known };
}

/** A port as a decimal number; undefined when it is none. */
export function portNumber(text: string): number | undefined {
  const port = /^[1-9]\d{0,4}$/.test(text) ? Number(text) : 0;
  return port > 0 && port <= 65_535 ? port : undefined;
}

/** The query that asks the API server for exactly this. */
export function streamQuery(request: StreamRequest): string {
  const pairs: (readonly [string, string])[] = [];
  if (request.kind === 'exec')
    pairs.push(...request.argv.map((word) => ['command', word] as const));
  if (request.kind === 'portforward') {
    pairs.push(...request.ports.map((port) => ['ports', String(port)] as const));
  } else {
    if (request.container !== '') pairs.push(['container', request.container]);
    for (const [name, isAsked] of Object.entries(request.io))
      if (isAsked) pairs.push([name, 'true']);
  }
  return pairs.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&');
}

/**
 * The command line that a person would type for it: what is judged, shown to reviewers and bound by
 * approvals. No two requests have one text.
 */
export function streamText(request: StreamRequest, port?: number): string {
  const { namespace, pod, container } = request;
  const place = [`--namespace=${quoted(namespace)}`, quoted(pod)];
  if (request.kind === 'portforward') {
    const ports = port === undefined ? request.ports : [port];
    return ['kubectl', 'port-forward', ...place, ...ports.map((each) => `:${each}`)].join(' ');
  }
  const flags = [
    ...(container === '' ? [] : [`--container=${quoted(container)}`]),
    ...(request.io.stdin ? ['--stdin'] : []),
    ...(request.io.tty ? ['--tty'] : []),
  ];
  const words = request.kind === 'exec' ? ['--', ...request.argv.map(quoted)] : [];
  return ['kubectl', request.kind, ...place, ...flags, ...words].join(' ');
}

const quoted = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
