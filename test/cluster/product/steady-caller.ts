/**
 * Runs in a pod, as one file: a service that calls all gateways in turn over gRPC and TLS, ten times a second at most, and prints a line for each answer
 * and each failure. A task that failed is sent again under its request_id.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import * as grpc from '@grpc/grpc-js';
import { agentPoolService } from '../../../proto/load.ts';

interface Answer {
  readonly json_utf8?: Buffer;
}

const FILES = '/caller';
const PAUSE_MS = 100;
const CALL_MS = 10_000;

const [server = '', task = '{}'] = process.argv.slice(2);
const read = (name: string): Buffer => readFileSync(`${FILES}/${name}`);

const gateways = new grpc.Client(`dns:///${server}`, grpc.credentials.createSsl(read('ca.crt')), {
  'grpc.service_config': JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
});
const execute = agentPoolService['Execute'] as grpc.MethodDefinition<object, Answer>;
const metadata = new grpc.Metadata();
metadata.set('authorization', `Bearer ${read('token').toString()}`);

function send(requestId: string): Promise<object> {
  return new Promise((resolve) => {
    const message = {
      ...(JSON.parse(task) as object),
      request_id: requestId,
      json_utf8: Buffer.from('null'),
    };
    const options = { deadline: Date.now() + CALL_MS };
    const { path, requestSerialize, responseDeserialize } = execute;
    const call = gateways.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      message,
      metadata,
      options,
      (error: Error | null, answer?: Answer) => {
        const output = JSON.parse(answer?.json_utf8?.toString() ?? '{}') as object;
        resolve(error === null ? { ...output, peer: call.getPeer() } : { failure: error.message });
      },
    );
  });
}

async function callOn(): Promise<never> {
  let requestId = randomUUID();
  for (;;) {
    const said = await send(requestId);
    console.log(JSON.stringify(said));
    if (!('failure' in said)) requestId = randomUUID();
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

void callOn();
