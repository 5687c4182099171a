/** What the kubelet and load balancers ask over gRPC; both messages have one field, so they are written by hand. */
import * as grpc from '@grpc/grpc-js';

/** @param service left out: the whole server. */
export function grpcHealth(address: string, service = ''): Promise<'SERVING' | 'NOT_SERVING'> {
  const client = new grpc.Client(address, grpc.credentials.createInsecure());
  const request = Buffer.concat([Buffer.from([0x0a, service.length]), Buffer.from(service)]);
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      '/grpc.health.v1.Health/Check',
      (bytes: Buffer) => bytes,
      (bytes: Buffer) => (bytes[1] === 1 ? 'SERVING' : 'NOT_SERVING'),
      request,
      (error, answer) => {
        client.close();
        if (answer === undefined) reject(error ?? new Error('no answer'));
        else resolve(answer);
      },
    );
  });
}
