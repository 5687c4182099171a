/** The generated files are fresh, keep the wire format, and work in a bundle without any .proto file. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { build } from 'esbuild';
import protobuf from 'protobufjs';
import descriptor from 'protobufjs/ext/descriptor.js';
import { generate } from './generate.ts';
import { agentPoolService, messageIn, poolAdminService, reflectionPackage } from './load.ts';
import { timestampOf, wallMsOf } from './timestamp.ts';
import { encodeValue } from './value-codec.ts';

const HERE = import.meta.dirname;

describe('proto/generated', () => {
  it('is what `npm run gen` writes', () => {
    for (const [name, text] of generate())
      expect({ name, text: readFileSync(join(HERE, 'generated', name), 'utf8') }).toEqual({
        name,
        text,
      });
  });
});

describe('the opaque contract', () => {
  const contract = new protobuf.Root();
  contract.resolvePath = (_origin, target) =>
    target.startsWith('google/') ? target : join(HERE, target);
  contract.loadSync('agentpool/v1/agentpool.proto', { keepCase: true });
  const ExecuteRequest = contract.lookupType('agentpool.v1.ExecuteRequest');

  it('reads what a client of the true contract sends, payload untouched', () => {
    const sent = {
      pool: 'p',
      tenant: 't',
      json: { structValue: { fields: { a: { numberValue: 1 } } } },
      options: { prefer_warm: false },
      metadata: { a: 'b' },
      priority: 2,
    };
    const read = messageIn('ExecuteRequest').deserialize(
      Buffer.from(ExecuteRequest.encode(ExecuteRequest.fromObject(sent)).finish()),
    );
    expect(read).toMatchObject({
      pool: 'p',
      tenant: 't',
      project: '',
      priority: 'PRIORITY_HIGH',
      input: 'json',
      json: Buffer.from(encodeValue({ a: 1 })),
      options: { prefer_warm: false, timeout_ms: 0 },
      metadata: { a: 'b' },
    });
  });

  it('has a default for everything that was not sent', () => {
    const read = messageIn('ExecuteRequest').deserialize(Buffer.alloc(0));
    expect(read).toEqual({
      pool: '',
      tenant: '',
      project: '',
      agent: '',
      conversation_id: '',
      request_id: '',
      priority: 'PRIORITY_UNSPECIFIED',
      options: null,
      metadata: {},
      lease_id: '',
    });
  });

  it('hands 64-bit integers out as numbers', () => {
    const message = messageIn('Turn');
    expect(
      message.deserialize(
        message.serialize({ index: 2 ** 40, time: timestampOf(1_750_000_000_123.456) }),
      ),
    ).toMatchObject({ index: 2 ** 40, time: { seconds: 1_750_000_000, nanos: 123_456_000 } });
    expect(wallMsOf(timestampOf(1_750_000_000_123))).toBe(1_750_000_000_123);
  });

  it('has every method of both services', () => {
    expect(Object.keys(agentPoolService)).toHaveLength(17);
    expect(Object.keys(poolAdminService)).toHaveLength(15);
    expect(agentPoolService['Connect']).toMatchObject({
      path: '/agentpool.v1.AgentPoolService/Connect',
      requestStream: true,
      responseStream: true,
    });
  });

  it('tells reflection the true types, those of health checks and of error details too', () => {
    const definitions = Object.values(reflectionPackage()) as {
      readonly fileDescriptorProtos?: readonly Buffer[];
    }[];
    const texts = definitions
      .flatMap(({ fileDescriptorProtos = [] }) => fileDescriptorProtos)
      .map((file) => JSON.stringify(descriptor.FileDescriptorProto.decode(file)));
    expect(
      texts.some(
        (text) =>
          text.includes('"agentpool/v1/agentpool.proto"') &&
          text.includes('.google.protobuf.Value'),
      ),
    ).toBe(true);
    expect(texts.some((text) => text.includes('agentpool.internal'))).toBe(false);
    for (const name of ['grpc.health.v1', 'google.rpc'])
      expect(texts.some((text) => text.includes(`"package":"${name}"`))).toBe(true);
  });
});

describe('a bundle', () => {
  it('serves the contract without .proto files, and the value codec alone stays small', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'agentpool-proto-'));
    const options = {
      bundle: true,
      platform: 'node',
      format: 'esm',
      logLevel: 'silent',
      banner: {
        js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
      },
    } as const;
    try {
      const contents =
        "import { agentPoolService } from './load.ts'; import { agentRuntimeService } from './internal-service.ts'; console.log(agentPoolService.Execute.path, agentRuntimeService.Ping.path, agentPoolService.Execute.requestSerialize({ pool: 'x' }).length);";
      await build({
        ...options,
        stdin: { contents, resolveDir: HERE, loader: 'ts' },
        outfile: join(folder, 'services.mjs'),
      });
      const printed = execFileSync(process.execPath, [join(folder, 'services.mjs')], {
        cwd: folder,
        encoding: 'utf8',
      });
      expect(printed.trim()).toBe(
        '/agentpool.v1.AgentPoolService/Execute /agentpool.internal.v1.AgentRuntimeService/Ping 3',
      );
      await build({
        ...options,
        minify: true,
        entryPoints: [join(HERE, 'value-codec.ts')],
        outfile: join(folder, 'codec.mjs'),
      });
      expect(statSync(join(folder, 'codec.mjs')).size).toBeLessThan(80_000);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
