import { GatewayError } from '#core/errors.ts';
import { printable } from '#core/printable.ts';

/** Where a command of the command line writes. */
export interface TextOutput {
  /** One line of the answer, without its end. */
  line(text: string): void;
  /** For the person, not for the pipe. */
  error(text: string): void;
}

/** A failure that the person is told as it is. */
export class CommandFailure extends Error {
  readonly exitCode: number;

  constructor(message: string, options: { readonly exitCode: number; readonly cause?: unknown }) {
    super(message, { cause: options.cause });
    this.name = 'CommandFailure';
    this.exitCode = options.exitCode;
  }
}

/** Runs a command; what it throws becomes lines for the person and an exit code, 1 as a rule. */
export async function reporting(output: TextOutput, run: () => Promise<number>): Promise<number> {
  try {
    return await run();
  } catch (thrown) {
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    const code = thrown instanceof GatewayError ? `${thrown.code} ` : '';
    for (const text of printable(`${code}${message}`).split('\n')) output.error(text);
    return thrown instanceof CommandFailure ? thrown.exitCode : 1;
  }
}
