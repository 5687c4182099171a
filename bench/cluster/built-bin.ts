/** The command as images have it: `npm run build` makes it. */
import { REPOSITORY } from '../../test/e2e/server.ts';

export const BUILT_BIN = `${REPOSITORY}dist/app/cli/agentpool.js`;
