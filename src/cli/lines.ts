/** Lines of a byte stream, for commands that answer line by line. */

const LF = 0x0a;
/** In place of a line that cannot be read: no JSON, so that it is answered as such. */
const UNREADABLE = '\ufffd';

/**
 * The lines of UTF-8 bytes, cut anywhere. Memory is bounded: a line above `bytesMax`, or one that
 * is not UTF-8, comes out as a single replacement character.
 */
export async function* linesOf(
  chunks: AsyncIterable<Uint8Array>,
  bytesMax: number,
): AsyncGenerator<string> {
  let pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    let from = 0;
    for (let end = chunk.indexOf(LF); end >= 0; end = chunk.indexOf(LF, from)) {
      bytes += end - from;
      if (bytes <= bytesMax) pieces.push(chunk.subarray(from, end));
      yield bytes <= bytesMax ? textOf(pieces) : UNREADABLE;
      pieces = [];
      bytes = 0;
      from = end + 1;
    }
    bytes += chunk.length - from;
    if (bytes > bytesMax) pieces = [];
    else if (from < chunk.length) pieces.push(new Uint8Array(chunk.subarray(from)));
  }
  if (bytes > 0) yield bytes <= bytesMax ? textOf(pieces) : UNREADABLE;
}

function textOf(pieces: readonly Uint8Array[]): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(pieces));
  } catch {
    return UNREADABLE;
  }
}
