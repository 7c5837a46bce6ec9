/** The real `psql` (Debian's), run to its end or driven line by line as a person would. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';

const program = '/usr/lib/postgresql/15/bin/psql';
/** Milliseconds after which what is waited for will never come. */
const WAIT_MS_MAX = 30_000;

/** Where psql connects and how; what is absent is left to psql. */
export interface PsqlTarget {
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly host?: string;
  /** More of libpq's connection keywords, for example `sslmode`. */
  readonly keywords?: Readonly<Record<string, string>>;
  /** The environment variable PGOPTIONS. */
  readonly options?: string;
}

export interface PsqlAnswer {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A psql that is running. */
export class Psql {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #done: Promise<PsqlAnswer>;
  #wake: (() => void)[] = [];
  stdout = '';
  stderr = '';
  isOver = false;

  /** @param args - `-c …`; without one, psql reads what {@link Psql.type} writes. */
  constructor(target: PsqlTarget, args: readonly string[] = []) {
    const keywords = {
      host: target.host ?? '127.0.0.1',
      port: String(target.port),
      user: target.user,
      dbname: target.database,
      ...target.keywords,
    };
    const dsn = Object.entries(keywords)
      .map(([name, value]) => `${name}='${value.replaceAll(/['\\]/g, '\\$&')}'`)
      .join(' ');
    const plain = ['--no-psqlrc', '--quiet', '--no-align', '--tuples-only'];
    this.#child = spawn(program, [...plain, ...args, dsn], {
      env: {
        ...process.env,
        LC_ALL: 'C.UTF-8',
        PGPASSWORD: target.password,
        ...(target.options === undefined ? {} : { PGOPTIONS: target.options }),
      },
    });
    this.#child.stdin.on('error', () => undefined);
    this.#child.stdout.on('data', (chunk: Buffer) => {
      this.stdout += chunk.toString('utf8');
      this.#changed();
    });
    this.#child.stderr.on('data', (chunk: Buffer) => {
      this.stderr += chunk.toString('utf8');
      this.#changed();
    });
    this.#done = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('close', (status) => {
        this.isOver = true;
        this.#changed();
        resolve({ status, stdout: this.stdout, stderr: this.stderr });
      });
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Types a line. */
  type(line: string): void {
    this.#child.stdin.write(`${line}\n`);
  }

  /** Ctrl-C. */
  interrupt(): void {
    this.#child.kill('SIGINT');
  }

  /** Waits until `holds` is true of what was printed; fails when psql ends before. */
  async until(holds: (psql: Psql) => boolean): Promise<void> {
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      this.#changed();
    }, WAIT_MS_MAX);
    while (!holds(this)) {
      if (this.isOver || isLate) {
        const why = this.isOver ? 'psql ended first' : 'psql did not come to it';
        throw new Error(`${why}:\n${this.stdout}\n${this.stderr}`);
      }
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
    clearTimeout(timer);
  }

  /** Types a line, and a line that says where its answer ends; gives what was printed between. */
  async ask(line: string): Promise<string> {
    const mark = `-- answered ${this.stdout.length} --`;
    const from = this.stdout.length;
    this.type(line);
    this.type(`\\echo ${mark}`);
    await this.until(({ stdout }) => stdout.includes(mark, from));
    return this.stdout.slice(from, this.stdout.indexOf(mark, from)).trim();
  }

  /** Waits for the end. */
  done(): Promise<PsqlAnswer> {
    return this.#done;
  }

  /** Ends the input, so that psql leaves. */
  async quit(): Promise<PsqlAnswer> {
    this.#child.stdin.end();
    return this.#done;
  }

  #changed(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}

/** Runs commands one after the other and gives what psql printed. */
export function runPsql(target: PsqlTarget, ...commands: readonly string[]): Promise<PsqlAnswer> {
  return new Psql(
    target,
    commands.flatMap((command) => ['-c', command]),
  ).done();
}
