/** Label and field selectors of the fake: equality and `in`, and the fields that the product selects by. */
import type { Selection } from '../../../platform/kube/kube.ts';
import { isMap } from './field-ownership.ts';
import type { AnyObject } from './object-store.ts';

const REQUIREMENT = /^\s*(!?)([^\s=!]+)\s*(?:(=|==|!=|in|notin)\s*(.*?))?\s*$/;

export function matches(object: AnyObject, selection: Selection): boolean {
  const { namespace, labelSelector = '', fieldSelector = '' } = selection;
  if (namespace !== '' && object.metadata.namespace !== namespace) return false;
  const labels = object.metadata.labels ?? {};
  return (
    split(labelSelector).every((part) => holds(part, (key) => labels[key])) &&
    split(fieldSelector).every((part) => holds(part, (key) => fieldOf(object, key)))
  );
}

/** At commas outside of parentheses. */
function split(selector: string): readonly string[] {
  return selector === '' ? [] : selector.split(/,(?![^(]*[)])/);
}

function holds(requirement: string, valueOf: (key: string) => string | undefined): boolean {
  const match = REQUIREMENT.exec(requirement);
  if (match === null) throw new Error(`the fake cannot read the selector ${requirement}`);
  const [, not, key = '', operator, operand = ''] = match;
  const value = valueOf(key);
  const values = operand
    .replace(/^[(]|[)]$/g, '')
    .split(',')
    .map((one) => one.trim());
  switch (operator) {
    case undefined:
      return (value !== undefined) === (not === '');
    case '!=':
    case 'notin':
      return value === undefined || !values.includes(value);
    default:
      return value !== undefined && values.includes(value);
  }
}

function fieldOf(object: AnyObject, path: string): string | undefined {
  const value = path
    .split('.')
    .reduce<unknown>((at, name) => (isMap(at) ? at[name] : undefined), object);
  return typeof value === 'string' ? value : undefined;
}
