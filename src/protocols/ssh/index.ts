/** SSH: hosts behind OpenSSH and alike. The rest of the folder is behind this. */
import type { Capabilities, Protocol } from '#core/protocol.ts';
import { type SshSettings, sshSettings } from './config.ts';
import { sshRuntime } from './runtime.ts';

const capabilities: Capabilities = {
  approval: 'notice',
  masking: 'text',
  recording: 'terminal',
  survivesDenial: true,
  lifting: true,
};

/** SSH, as the registry knows it. */
export const ssh: Protocol<SshSettings> = {
  name: 'ssh',
  settings: sshSettings,
  capabilities,
  start: (services) => Promise.resolve(sshRuntime(services)),
};
