/**
 * A program on a terminal of its own, for tests: what a person at a keyboard has. Node makes no
 * pseudo-terminals, so a few lines of Python stand between.
 */
import { spawn } from 'node:child_process';

/** Copies both ways; on SIGUSR1 the terminal is resized. The first arguments are its sizes. */
const driver = `
import fcntl, os, pty, select, signal, struct, sys, termios
sizes = [tuple(map(int, text.split('x'))) for text in sys.argv[1:3]]
pid, terminal = pty.fork()
if pid == 0: os.execvp(sys.argv[3], sys.argv[3:])
def resize(rows, columns):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))
resize(*sizes[0])
signal.signal(signal.SIGUSR1, lambda *_: resize(*sizes[1]))
while True:
    ready, _, _ = select.select([0, terminal], [], [])
    try:
        data = os.read(ready[0], 65536)
    except OSError:
        break
    if not data: break
    rest = data
    while rest: rest = rest[os.write(terminal if ready[0] == 0 else 1, rest):]
_, status = os.waitpid(pid, 0)
sys.exit(os.waitstatus_to_exitcode(status) & 255)
`;

export interface Terminal {
  type(text: string): void;
  /** Waits until the program has written this behind what was waited for before. */
  shows(pattern: RegExp): Promise<void>;
  resize(): void;
  /** The exit status, when the program has ended. */
  readonly ended: Promise<number | null>;
  /** Everything that was shown. */
  output(): string;
}

/** Runs a program on a terminal of 24 rows and 80 columns; `resize` makes it 50 and 132. */
export function onTerminal(command: readonly string[], env: NodeJS.ProcessEnv): Terminal {
  const child = spawn('python3', ['-c', driver, '24x80', '50x132', ...command], { env });
  let output = '';
  let seen = 0;
  let wake = (): void => undefined;
  const add = (chunk: Buffer): void => {
    output += chunk.toString('utf8');
    wake();
  };
  child.stdout.on('data', add);
  child.stderr.on('data', add);
  child.stdin.on('error', () => undefined);
  let isOver = false;
  const ended = new Promise<number | null>((resolve) => {
    child.once('close', (status) => {
      isOver = true;
      wake();
      resolve(status);
    });
  });
  return {
    type: (text) => child.stdin.write(text),
    async shows(pattern) {
      for (;;) {
        const found = pattern.exec(output.slice(seen));
        if (found !== null) {
          seen += found.index + found[0].length;
          return;
        }
        if (isOver) throw new Error(`ended without ${pattern.source}:\n${output}`);
        await new Promise<void>((resolve) => (wake = resolve));
      }
    },
    resize: () => child.kill('SIGUSR1'),
    ended,
    output: () => output,
  };
}
