/**
 * `npm run gen`: writes proto/generated from the .proto files, so that nothing reads a .proto at run time. `--check` writes nothing
 * and fails when the files are stale. The descriptors for reflection come from buf, as the contract's own files.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import protobuf, { type INamespace } from 'protobufjs';
import descriptor from 'protobufjs/ext/descriptor.js';
import { typesOf } from './generate-types.ts';
import { withOpaquePayloads } from './opaque-payloads.ts';

const PROTO = dirname(fileURLToPath(import.meta.url));
const ROOT = dirname(PROTO);
const HEADER = '// Written by `npm run gen` from proto/agentpool; do not edit.\n';

/** File name in proto/generated → its text. */
export function generate(): ReadonlyMap<string, string> {
  const contract = withOpaquePayloads(load('agentpool/v1/agentpool.proto', true));
  const internal = load('agentpool/internal/v1/runtime.proto', false);
  const json = (name: string, value: unknown): string =>
    `export const ${name}: string = ${quoted(JSON.stringify(value))};\n`;
  return new Map([
    ['contract.ts', HEADER + json('CONTRACT_JSON', contract)],
    ['internal.ts', HEADER + json('INTERNAL_JSON', internal)],
    [
      'file-descriptors.ts',
      `${HEADER}export const FILE_DESCRIPTORS_BASE64: readonly string[] = [\n${fileDescriptors()
        .map((file) => `  '${file}',\n`)
        .join('')}];\n`,
    ],
    ['messages.ts', HEADER + typesOf(contract, 'agentpool.v1')],
    ['internal-messages.ts', HEADER + typesOf(internal, 'agentpool.internal.v1')],
  ]);
}

function load(file: string, keepCase: boolean): INamespace {
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) =>
    target.startsWith('google/') ? target : join(PROTO, target);
  root.loadSync(file, { keepCase });
  root.resolveAll();
  return root.toJSON();
}

/** FileDescriptorProtos of the public contract and what it imports. */
function fileDescriptors(): string[] {
  const buf = join(ROOT, 'node_modules/.bin/buf');
  const image = execFileSync(
    buf,
    ['build', '--exclude-source-info', '--as-file-descriptor-set', '-o', '-'],
    { cwd: ROOT, maxBuffer: 16 * 1024 * 1024 },
  );
  const set = descriptor.FileDescriptorSet.decode(image);
  const files = descriptor.FileDescriptorSet.toObject(set)['file'] as { package?: string }[];
  return files
    .filter((file) => file.package !== 'agentpool.internal.v1')
    .map((file) =>
      Buffer.from(
        descriptor.FileDescriptorProto.encode(
          descriptor.FileDescriptorProto.fromObject(file),
        ).finish(),
      ).toString('base64'),
    );
}

function quoted(json: string): string {
  return `'${json.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

function main(check: boolean): void {
  for (const [name, text] of generate()) {
    const path = join(PROTO, 'generated', name);
    if (!check) writeFileSync(path, text);
    else if (readFileSync(path, 'utf8') !== text)
      throw new Error(`proto/generated/${name} is stale: run npm run gen`);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(process.argv.includes('--check'));
