/** A process that starts an API server, says where, and waits to be killed: `api-server-death.test.ts` looks at what it leaves. */
import { startApiServer } from '../cluster/api-server.ts';

const api = await startApiServer();
console.log(JSON.stringify({ folder: api.folder, server: api.server }));
setInterval(() => undefined, 60_000);
