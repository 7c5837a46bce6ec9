/** Every route of the API, in the order of the document. The one table of who may call what. */
import type { Route } from './route.ts';
import { controlRoutes } from './routes/controls.ts';
import { evidenceRoutes } from './routes/evidence.ts';
import { healthRoutes } from './routes/health.ts';
import { holdRoutes } from './routes/holds.ts';
import { tokenRoutes } from './routes/token.ts';

export const routes: readonly Route[] = [
  ...tokenRoutes,
  ...holdRoutes,
  ...controlRoutes,
  ...evidenceRoutes,
  ...healthRoutes,
];
