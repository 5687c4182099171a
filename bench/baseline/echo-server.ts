/** A bare grpc-js server that sends back what it gets: what one unary call costs at least. Prints nothing, tells its parent the address. */
import { Server, ServerCredentials, type ServiceDefinition } from '@grpc/grpc-js';
import { ECHO_PATH, identity } from '../client/echo-method.ts';

const ECHO: ServiceDefinition = {
  Unary: {
    path: ECHO_PATH,
    requestStream: false,
    responseStream: false,
    requestSerialize: identity,
    requestDeserialize: identity,
    responseSerialize: identity,
    responseDeserialize: identity,
  },
};

const server = new Server();
server.addService(ECHO, {
  Unary: (call: { request: Buffer }, done: (error: null, answer: Buffer) => void) => {
    done(null, call.request);
  },
});
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error;
  process.send?.(`127.0.0.1:${port}`);
});
process.on('disconnect', () => process.exit());
