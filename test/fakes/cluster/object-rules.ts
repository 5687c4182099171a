/** What the API server asks of objects of some kinds: of a Secret keys that can be names of files and not too much in it, of a pod containers. */
import type { FieldProblem } from '../../../platform/kube/kube-error.ts';
import type { KubeObject, Pod, Secret } from '../../../platform/kube/resources.ts';
import type { AnyResource } from './object-store.ts';

const BYTES_MAX = 1_048_576;
const KEY = /^[-._a-zA-Z0-9]{1,253}$/;

export function objectProblems(resource: AnyResource, object: KubeObject): readonly FieldProblem[] {
  if (resource.plural === 'secrets') return secretProblems(object);
  if (resource.plural === 'pods') return podProblems(object);
  return [];
}

function podProblems({ spec }: Pod): readonly FieldProblem[] {
  if (Array.isArray(spec?.containers)) return [];
  return [{ field: 'spec.containers', message: 'Required value' }];
}

function secretProblems(secret: Secret): readonly FieldProblem[] {
  const data = Object.entries(secret.data ?? {});
  const bytes = data.reduce((sum, [, base64]) => sum + Buffer.from(base64, 'base64').length, 0);
  const problems = data
    .filter(([key]) => !KEY.test(key))
    .map(([key]) => ({ field: `data[${key}]`, message: 'Invalid value: a valid config key' }));
  if (bytes > BYTES_MAX)
    problems.push({ field: 'data', message: `Too long: may not be more than ${BYTES_MAX} bytes` });
  return problems;
}
