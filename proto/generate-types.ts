/** TypeScript types of messages and service handlers, as proto-loader hands them out under LOADER_OPTIONS; text only, writes nothing. */
import type { INamespace, IType } from 'protobufjs';

type Nested = NonNullable<INamespace['nested']>[string];
type Objects = Readonly<Record<string, Nested>>;

const NUMBERS = new Set([
  'double',
  'float',
  'int32',
  'uint32',
  'int64',
  'uint64',
  'sint32',
  'sint64',
  'fixed32',
  'fixed64',
  'sfixed32',
  'sfixed64',
]);
const GOOGLE: Readonly<Record<string, string>> = { 'google.protobuf.Timestamp': 'Timestamp' };

const PRELUDE = `/** What may be given where a message is sent: every field can be left out. */
export type Init<T> = T extends Uint8Array
  ? Uint8Array
  : T extends string | number | boolean | null | undefined
    ? T
    : T extends readonly (infer Item)[]
      ? readonly Init<Item>[]
      : { readonly [Key in keyof T]?: Init<T[Key]> | undefined };

export interface Timestamp {
  seconds: number;
  nanos: number;
}
`;

/** The types of one package: an interface per message, a union per enum, a handler map per service. */
export function typesOf(root: INamespace, packageName: string): string {
  const objects = objectsOf(root, packageName);
  const texts = Object.entries(objects).map(([name, object]) => textOf(name, object, objects));
  const calls = [...new Set(texts.join('').match(/\bhandle\w+Call\b/g) ?? [])].sort();
  const imports = `import type { ${calls.join(', ')} } from '@grpc/grpc-js';\n`;
  return [imports, PRELUDE, ...texts].join('\n');
}

function objectsOf(root: INamespace, packageName: string): Objects {
  let current: INamespace = root;
  for (const part of packageName.split('.')) {
    const next = current.nested?.[part];
    if (next === undefined || !('nested' in next))
      throw new Error(`no package ${packageName} in the descriptor`);
    current = next;
  }
  return Object.fromEntries(
    Object.entries(current.nested ?? {}).filter(([, object]) => !isPackage(object)),
  );
}

function isPackage(object: Nested): boolean {
  return !('fields' in object) && !('values' in object) && !('methods' in object);
}

function textOf(name: string, object: Nested, objects: Objects): string {
  if ('values' in object)
    return `export type ${name} = ${Object.keys(object.values)
      .map((value) => `'${value}'`)
      .join(' | ')};\n`;
  if ('methods' in object) return serviceText(name, object.methods);
  if ('fields' in object) return messageText(name, object, objects);
  throw new Error(`${name} is neither message, enum nor service`);
}

interface Method {
  readonly requestType: string;
  readonly responseType: string;
  readonly requestStream?: boolean;
  readonly responseStream?: boolean;
}

function serviceText(name: string, methods: Readonly<Record<string, Method>>): string {
  const lines = Object.entries(methods).map(
    ([method, { requestType, responseType, requestStream = false, responseStream = false }]) => {
      const kind = requestStream ? (responseStream ? 'Bidi' : 'Client') : 'Server';
      const handler =
        requestStream || responseStream ? `handle${kind}StreamingCall` : 'handleUnaryCall';
      return `  ${method}: ${handler}<${requestType}, Init<${responseType}>>;\n`;
    },
  );
  return `export type ${name}Handlers = {\n${lines.join('')}};\n`;
}

function messageText(name: string, type: IType, objects: Objects): string {
  const oneofs = Object.entries(type.oneofs ?? {}).filter(([oneof]) => !oneof.startsWith('_'));
  const inOneof = new Set(Object.values(type.oneofs ?? {}).flatMap((oneof) => oneof.oneof));
  const fields = Object.entries(type.fields).map(([field, description]) => {
    const optional = inOneof.has(field);
    return `  ${field}${optional ? '?' : ''}: ${fieldType(description, objects, optional)};\n`;
  });
  const cases = oneofs.map(
    ([oneof, { oneof: members }]) =>
      `  ${oneof}?: ${members.map((member) => `'${member}'`).join(' | ')};\n`,
  );
  return `export interface ${name} {\n${fields.join('')}${cases.join('')}}\n`;
}

function fieldType(field: IType['fields'][string], objects: Objects, optional: boolean): string {
  const single = singleType(field.type);
  if ('keyType' in field) return `Record<string, ${single}>`;
  if (field.rule === 'repeated') return `${single}[]`;
  const isMessage = field.type in GOOGLE || 'fields' in (objects[field.type] ?? {});
  return isMessage && !optional ? `${single} | null` : single;
}

function singleType(type: string): string {
  if (NUMBERS.has(type)) return 'number';
  if (type === 'bool') return 'boolean';
  if (type === 'bytes') return 'Buffer';
  return GOOGLE[type] ?? type;
}
