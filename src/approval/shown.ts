/**
 * A command as a reviewer is shown it: everything that the digest covers, nothing cut. A command
 * that cannot be shown whole cannot be approved.
 */
import type { BoundValue, Command } from '#core/command.ts';
import { policyLimits } from '#core/limits.ts';
import type { HeldCommand, ShownValue } from '#core/ports/holds.ts';

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The command as plain data, or why it cannot be shown. Copies what is only valid now. */
export function showCommand(command: Command): HeldCommand | { readonly unshown: string } {
  const { context } = command;
  const values = command.parameters.reduce((sum, { bytes }) => sum + (bytes?.length ?? 0), 0);
  // Hex doubles a value; before anything is copied.
  const size = command.text.length + command.state.length + 2 * values;
  if (size > policyLimits.holdShownCharsMax) {
    return { unshown: 'it is too large to be shown to a reviewer whole' };
  }
  const texts = [command.text, command.state, context.namespace, context.account];
  if (!texts.every((text) => text.isWellFormed())) {
    return { unshown: 'its text is not valid Unicode, so a reviewer cannot be shown what it is' };
  }
  const { identity, target } = context;
  return {
    id: command.id,
    session: context.session,
    protocol: context.protocol,
    requester: {
      id: identity.id,
      kind: identity.kind,
      displayName: identity.displayName,
      groups: identity.groups,
      owner: identity.owner,
      onBehalfOf: identity.onBehalfOf,
    },
    target: target.name,
    labels: target.labels,
    account: context.account,
    namespace: context.namespace,
    ...(context.purpose === undefined ? {} : { purpose: context.purpose }),
    sessionState: command.state,
    text: command.text,
    parameters: command.parameters.map(showValue),
    facts: command.facts,
    ...(command.history === undefined ? {} : { novel: command.history.novel }),
    clientAddress: context.clientAddress,
    clientName: context.clientName,
  };
}

function showValue({ type, format, bytes }: BoundValue): ShownValue {
  if (bytes === null) return { type, value: { kind: 'null' } };
  if (format === 'text') {
    try {
      return { type, value: { kind: 'text', text: decoder.decode(bytes) } };
    } catch {
      // Not UTF-8: shown as bytes instead.
    }
  }
  return { type, value: { kind: 'hex', hex: hexOf(bytes) } };
}

function hexOf(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0');
  return text;
}
