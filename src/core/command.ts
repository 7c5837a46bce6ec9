import type { Facts } from './facts.ts';
import type { History } from './history.ts';
import type { CommandId, SessionId } from './ids.ts';
import type { Identity } from './identity.ts';
import type { ProtocolName, Target } from './target.ts';

/** A parameter bound to a command, as the target will receive it. */
export interface BoundValue {
  /** The protocol's own type name or number, 0 or '' when the client left it open. */
  readonly type: string;
  /** `text` or `binary` as on the wire. */
  readonly format: 'text' | 'binary';
  /** Null is SQL's NULL. A view that is valid only until the command was judged. */
  readonly bytes: Uint8Array | null;
}

/** What does not change while a session lives; every command points to the same object. */
export interface SessionContext {
  readonly session: SessionId;
  readonly protocol: ProtocolName;
  readonly identity: Identity;
  readonly target: Target;
  /** Name of the account at the target. */
  readonly account: string;
  /** Database, Kubernetes cluster, virtual host …: what names in commands are relative to. */
  readonly namespace: string;
  readonly clientAddress: string;
  /** What the client calls itself; shown to people, believed by nobody. */
  readonly clientName: string;
  /** What the grant lets the session do that protocols refuse otherwise, such as `function-call`. */
  readonly features: readonly string[];
  /** What the grant says that the session is for; absent when it says nothing. */
  readonly purpose?: string | undefined;
  /** How the session wants holds answered: waiting, or refused at once with an id to retry with. */
  readonly holdMode: 'wait' | 'refuse';
}

/**
 * The smallest thing that is judged.
 *
 * `prepare` asks the target to parse and plan, `execute` to run; a rule that denies `execute`
 * denies `prepare` too, a rule that holds lets `prepare` pass, since nothing runs by it.
 */
export interface Command {
  readonly id: CommandId;
  readonly context: SessionContext;
  readonly kind: 'execute' | 'prepare';
  /** What the target will be sent, as text. A reviewer sees all of it. */
  readonly text: string;
  readonly parameters: readonly BoundValue[];
  /** State of the session that gives the text its meaning (search path, role), canonical order. */
  readonly state: string;
  readonly facts: Facts;
  /** What its identity did before; the gate's to say. Without it everything counts as new. */
  readonly history?: History;
}

const encoder = new TextEncoder();

/**
 * The bytes whose SHA-256 an approval binds to: every part that says what runs, where and as whom,
 * each behind its length, so that no two different commands give the same bytes.
 */
export function digestInput(command: Command): Uint8Array {
  const { context } = command;
  const parts: (Uint8Array | null)[] = [
    'sallyport-command-v2',
    context.protocol,
    context.target.name,
    context.account,
    context.identity.id,
    context.namespace,
    context.purpose ?? '',
    command.state,
    command.text,
  ].map((text) => encoder.encode(text));
  for (const value of command.parameters) {
    parts.push(encoder.encode(`${value.format}:${value.type}`), value.bytes);
  }
  const size = parts.reduce((sum, part) => sum + 8 + (part?.length ?? 0), 0);
  const out = new Uint8Array(size);
  const view = new DataView(out.buffer);
  let at = 0;
  for (const part of parts) {
    // NULL and the empty string must differ: NULL has the one length that nothing else can have.
    view.setBigUint64(at, part === null ? 0xffffffffffffffffn : BigInt(part.length));
    at += 8;
    if (part !== null) out.set(part, at);
    at += part?.length ?? 0;
  }
  return out;
}
