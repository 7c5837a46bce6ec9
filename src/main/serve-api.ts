import type { Services, Stack } from './gateway.ts';

export async function serveApi(_services: Services, _stack: Stack): Promise<number> {
  return 0;
}
