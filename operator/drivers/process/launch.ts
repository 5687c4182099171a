/** What a child is told on its standard input: the shape that agent-runtime/launch.ts reads. Secrets travel here and nowhere else. */
import { poolRefOfKey } from '../../../core/identifiers.ts';
import type { RuntimeRequest } from '../../pool/driver.ts';

/** What a runtime of a pool needs to reach the store and to be reached. */
export interface RuntimeAccess {
  /** The pool's runtime key: whoever has it may send tasks. */
  readonly key: string;
  readonly store: { readonly path: string; readonly token: string };
}

export interface LaunchInput {
  readonly request: RuntimeRequest;
  readonly access: RuntimeAccess;
  /** gRPC target that the runtime listens on. */
  readonly listen: string;
  readonly logLevel: string;
  readonly workerPath?: string;
}

/** One line of JSON. */
export function launchLine({ request, access, listen, logLevel, workerPath }: LaunchInput): string {
  const { name, pool, role, template } = request;
  const { namespace, name: poolName } = poolRefOfKey(pool);
  return `${JSON.stringify({
    namespace,
    pool: poolName,
    incarnation: name,
    role,
    revision: template.revision,
    listen,
    key: access.key,
    store: access.store,
    modulePath: template.module.path,
    logLevel,
    ...(workerPath === undefined ? {} : { workerPath }),
  })}\n`;
}
