/** What a failed system call means to a session. */
import { GatewayError, toGatewayError } from '#core/errors.ts';

/** `SP_RECORDING_SPACE` when the disk is full, else `SP_RECORDING_FAILED`; keeps the cause. */
export function recordingError(thrown: unknown): GatewayError {
  const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new GatewayError('SP_RECORDING_SPACE', { cause: thrown });
  }
  return toGatewayError(thrown, 'SP_RECORDING_FAILED');
}
