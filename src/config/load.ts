/**
 * Reads `sallyport.yaml` and the policy files beside it. Every problem comes with its place in the
 * file, all at once; nothing is half loaded.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { isNode, LineCounter, parseDocument } from 'yaml';
import { GatewayError } from '#core/errors.ts';
import { checkConfig, type Config, type ConfigProblem, type OwnedSchemas } from './schema.ts';

/** A configuration file is never larger; a larger one is a mistake or an attack. */
const CONFIG_BYTES_MAX = 4 * 1024 * 1024;

export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

export interface LoadedConfig<I, G, P> {
  readonly path: string;
  /** What relative paths in the file are relative to. */
  readonly directory: string;
  readonly config: Config<I, G, P>;
}

/**
 * Loads and checks the configuration.
 *
 * @throws GatewayError `SP_CONFIG`; the message lists every problem, a line each.
 */
export function loadConfig<I, G, P>(
  path: string,
  owned: OwnedSchemas<I, G, P>,
): LoadedConfig<I, G, P> {
  const text = readBounded(path);
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    uniqueKeys: true,
  });
  const problems: ConfigProblem[] = document.errors.map((error) => {
    const { line, col } = lines.linePos(error.pos[0]);
    return { at: `${path}:${line}:${col}`, path: '', message: error.message.split('\n')[0] ?? '' };
  });
  if (problems.length === 0) {
    const checked = checkConfig(document.toJS({ maxAliasCount: 100 }), owned);
    if ('listeners' in checked) {
      return { path, directory: resolve(dirname(path)), config: checked };
    }
    for (const issue of checked) {
      problems.push({
        at: place(path, document, lines, issue.path),
        path: issue.path.join('.'),
        message: issue.message,
      });
    }
  }
  throw new GatewayError('SP_CONFIG', { detail: describeProblems(problems) });
}

/** The policy files that `policies:` names, in order of their names. */
export function readPolicyFiles(directory: string, paths: readonly string[]): SourceFile[] {
  const files: SourceFile[] = [];
  for (const path of paths) {
    const full = isAbsolute(path) ? path : join(directory, path);
    const status = statSync(full, { throwIfNoEntry: false });
    if (status === undefined) {
      throw new GatewayError('SP_CONFIG', { detail: `policies: '${full}' does not exist` });
    }
    const names = status.isDirectory()
      ? readdirSync(full)
          .filter((name) => /\.ya?ml$/.test(name) && !name.startsWith('.'))
          .toSorted()
          .map((name) => join(full, name))
      : [full];
    for (const name of names) files.push({ path: name, text: readBounded(name) });
  }
  return files;
}

function readBounded(path: string): string {
  try {
    const bytes = readFileSync(path);
    if (bytes.length > CONFIG_BYTES_MAX) {
      throw new GatewayError('SP_CONFIG', { detail: `${path} is larger than 4 MiB` });
    }
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    if (cause instanceof GatewayError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new GatewayError('SP_CONFIG', { detail: `cannot read ${path}: ${why}`, cause });
  }
}

function place(
  file: string,
  document: ReturnType<typeof parseDocument>,
  lines: LineCounter,
  path: readonly PropertyKey[],
): string {
  // The nearest part of the path that is in the file: an absent key is reported at its parent.
  for (let length = path.length; length >= 0; length -= 1) {
    const node = document.getIn(path.slice(0, length), true);
    const offset = isNode(node) ? node.range?.[0] : undefined;
    if (offset !== undefined) {
      const { line, col } = lines.linePos(offset);
      return `${file}:${line}:${col}`;
    }
  }
  return file;
}

export function describeProblems(problems: readonly ConfigProblem[]): string {
  return problems
    .map(({ at, path, message }) => `\n  ${at}: ${path === '' ? '' : `${path}: `}${message}`)
    .join('');
}
