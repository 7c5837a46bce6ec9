/** What the data path's thread and the recording thread say to each other. */
import type { KeyObject } from 'node:crypto';
import type { SealFacts } from './documents.ts';
import type { RecoveredRecording, RecoveryRequest } from './recovery.ts';

/** Given to the recording thread when it starts. */
export interface ThreadData {
  readonly keyId: string;
  readonly privateKey: KeyObject;
}

/** To the recording thread. `slot` names the session. */
export type ToThread =
  | {
      readonly op: 'open';
      readonly slot: number;
      readonly path: string;
      readonly context: Uint8Array;
      readonly key: KeyObject | undefined;
    }
  | {
      readonly op: 'block';
      readonly slot: number;
      readonly memory: number;
      /** The memory itself, the first time that the thread is sent it. */
      readonly shared: SharedArrayBuffer | undefined;
      readonly used: number;
      readonly startedUs: number;
    }
  /** The memory is not used again. */
  | { readonly op: 'forget'; readonly memory: number }
  | {
      readonly op: 'seal';
      readonly slot: number;
      readonly startedUs: number;
      readonly facts: SealFacts;
    }
  /** The session is lost; recovery completes it. */
  | { readonly op: 'drop'; readonly slot: number }
  | { readonly op: 'recover'; readonly request: RecoveryRequest };

/** From the recording thread, in the order of what was asked. */
export type FromThread =
  | { readonly op: 'opened'; readonly slot: number }
  /** Slot and memory of each block by turns, in the order in which they were sent. */
  | { readonly op: 'written'; readonly blocks: readonly number[] }
  | {
      readonly op: 'sealed';
      readonly slot: number;
      readonly hash: string;
      readonly blocks: number;
      readonly bytes: number;
    }
  | { readonly op: 'recovered'; readonly recordings: readonly RecoveredRecording[] }
  | {
      readonly op: 'failed';
      readonly step: ToThread['op'];
      /** Undefined: recovery. */
      readonly slot: number | undefined;
      readonly message: string;
      readonly space: boolean;
    };

/** Name of a recording that is being written. */
export const OPEN_SUFFIX = '.sprec.open';
/** Name of a finished recording. */
export const SEALED_SUFFIX = '.sprec';
