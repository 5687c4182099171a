/** What keeps the operator from its work, in words of the pool's reasons: the one place where errors of the API server are turned into them. */
import { isKubeError } from '../../platform/kube/kube-error.ts';
import { Hindered } from './hindered.ts';

const FORBIDDEN_ADVICE =
  "give the operator's role this verb: `helm upgrade` with the chart of its version";

/** As `task` settles; of what the API server refused or did not answer, a `Hindered` that says so. */
export async function explained<T>(task: Promise<T>): Promise<T> {
  try {
    return await task;
  } catch (error) {
    throw hinderedBy(error);
  }
}

export function hinderedBy(error: unknown): unknown {
  if (isForbiddenByRole(error))
    return new Hindered('OperatorForbidden', `${error.message}: ${FORBIDDEN_ADVICE}`, error);
  if (isKubeError(error, 'Unauthorized'))
    return new Hindered('OperatorForbidden', error.message, error);
  if (isKubeError(error, 'Unavailable', 'OutcomeUnknown', 'TooManyRequests'))
    return new Hindered('ApiServerUnavailable', error.message, error);
  return error;
}

/** What was ordered may be carried out all the same, now or in a moment; any other failure says that it is not. */
export function isOutcomeUnknown(error: unknown): boolean {
  return isKubeError(error instanceof Hindered ? error.cause : error, 'OutcomeUnknown');
}

/** Not by a policy or a quota, which refuse one object; whoever authorises, the API server puts it in these words. */
export function isForbiddenByRole(error: unknown): error is Error {
  return isKubeError(error, 'Forbidden') && /User ".*" cannot /.test(error.message);
}
