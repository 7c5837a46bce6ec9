/**
 * Streams into a pod as commands: what the program would do that `exec` starts, that what goes to a
 * shell or through a port is not read. Pure.
 */
import type { Command } from '#core/command.ts';
import type { Facts } from '#core/facts.ts';
import { shellLimits } from '#core/limits.ts';
import type { Stages } from '#core/protocol.ts';
import { analyseProgram, type ShellAnalysis } from '#shell/index.ts';
import type { PortRequest, ProgramRequest, StreamRequest } from './stream-request.ts';
import { streamText } from './stream-request.ts';

/** What the program of an `exec` would do. */
export const analyseExec = (argv: readonly string[], terminal: boolean): ShellAnalysis =>
  analyseProgram(argv, { home: undefined, terminal, limits: shellLimits });

const shells: ReadonlySet<string> = new Set(
  'sh bash dash ash rbash zsh ksh mksh fish csh tcsh'.split(' '),
);

/** Whether one of the commands is a shell without a text, which reads what it is to do. */
export const readsCommands = ({ commands }: ShellAnalysis): boolean =>
  commands.some(({ argv }) => {
    const [path, ...words] = argv;
    const name = path?.slice(path.lastIndexOf('/') + 1) ?? '';
    if (!shells.has(name)) return false;
    const [first] = words;
    const isScript = typeof first === 'string' && !/^[-+]/.test(first);
    return !isScript && !words.some((word) => word !== null && /^-[a-z]*c[a-z]*$/.test(word));
  });

/** Whether a program writes an archive to its standard output, as `kubectl cp` asks it to. */
export function givesArchive(argv: readonly string[]): boolean {
  const [path = '', ...words] = argv;
  if (path.slice(path.lastIndexOf('/') + 1) !== 'tar') return false;
  const flags = words.filter((word, at) => at === 0 || /^-[^-]/.test(word)).join('');
  return /[cAru]/.test(flags) || words.some((word) => /^--(create|append|update)/.test(word));
}

/** What a request for streams adds to, or says more of, than the request of the API does. */
export function streamFacts(request: StreamRequest, base: Facts, port: number | undefined): Facts {
  switch (request.kind) {
    case 'exec':
      return execFacts(request.argv, request.io, base);
    case 'attach':
      return request.io.stdin ? unread(base, 'what a running program is told') : base;
    case 'portforward':
      return portFacts(request, base, port);
  }
}

function execFacts(argv: readonly string[], io: ProgramRequest['io'], base: Facts): Facts {
  const analysis = analyseExec(argv, io.tty);
  const { facts } = analysis;
  const found: Facts = {
    ...base,
    // Whatever it is, it is a program of the container's: a rule for reading alone is not for it.
    effects: [...new Set([...base.effects, ...facts.effects])],
    objects: [...base.objects, ...facts.objects],
    verbs: [...base.verbs, ...facts.verbs],
    analysis: base.analysis === 'complete' ? facts.analysis : base.analysis,
    reasons: [...base.reasons, ...facts.reasons],
    fingerprint: `${base.fingerprint} ${facts.fingerprint}`,
  };
  return io.stdin && readsCommands(analysis) ? unread(found, 'what a shell is told') : found;
}

function portFacts(
  { namespace, pod, ports }: PortRequest,
  base: Facts,
  port: number | undefined,
): Facts {
  const asked = port === undefined ? ports : [port];
  const names = asked.length === 0 ? ['*'] : asked.map(String);
  const objects = names.map((name) => ({
    kind: 'port',
    name: `${namespace}/${pod}:${name}`,
    access: 'execute' as const,
  }));
  const found = { ...base, objects: [...base.objects, ...objects] };
  return partial(found, 'what goes through a forwarded port');
}

const unread = (facts: Facts, what: string): Facts =>
  partial({ ...facts, effects: [...new Set([...facts.effects, 'execute-code' as const])] }, what);

const partial = (facts: Facts, what: string): Facts => ({
  ...facts,
  effects: [...new Set([...facts.effects, 'unknown' as const])],
  analysis: facts.analysis === 'opaque' ? 'opaque' : 'partial',
  reasons: [...facts.reasons, `${what} is not read`],
});

/** A request for streams as it is judged. */
export function streamCommand(
  stages: Pick<Stages, 'commandId' | 'context'>,
  request: StreamRequest,
  facts: Facts,
  port?: number,
): Command {
  return {
    id: stages.commandId(),
    context: stages.context,
    kind: 'execute',
    text: streamText(request, port),
    parameters: [],
    // The kind first, so that an approval for one is never good for another with the same text.
    state: stateOf(request),
    facts,
  };
}

function stateOf(request: StreamRequest): string {
  if (request.kind === 'portforward') return request.kind;
  const streams = Object.entries(request.io).filter(([, isAsked]) => isAsked);
  return [request.kind, ...streams.map(([name]) => name)].join('\n');
}
