/**
 * Turns the public contract into its opaque form: what carries a payload is `bytes` there. The wire format is the same (an embedded
 * message and bytes are both length-delimited), so an edge passes JSON values and parts on without ever decoding them.
 */
import type { INamespace, IType } from 'protobufjs';

const OPAQUE_TYPES = new Set(['google.protobuf.Value', 'Parts']);

/** A copy of the protobufjs JSON in which every field of type google.protobuf.Value or Parts is bytes. */
export function withOpaquePayloads(namespace: INamespace): INamespace {
  const nested = Object.entries(namespace.nested ?? {}).map(
    ([name, object]) => [name, transformed(object)] as const,
  );
  return { ...namespace, nested: Object.fromEntries(nested) };
}

type Nested = NonNullable<INamespace['nested']>[string];

function transformed(object: Nested): Nested {
  if ('fields' in object) return withOpaqueFields(object);
  return 'nested' in object ? withOpaquePayloads(object) : object;
}

function withOpaqueFields(type: IType): IType {
  const fields = Object.entries(type.fields).map(
    ([name, field]) =>
      [name, OPAQUE_TYPES.has(field.type) ? { ...field, type: 'bytes' } : field] as const,
  );
  return { ...type, fields: Object.fromEntries(fields) };
}
