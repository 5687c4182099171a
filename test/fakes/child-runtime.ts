/** A runtime program of a few lines for tests of the process driver: what it does is said by the name of its module. */
import { createInterface } from 'node:readline';
import { type handleUnaryCall, Server, ServerCredentials, status } from '@grpc/grpc-js';
import { agentRuntimeService } from '../../proto/internal-service.ts';

interface Launch {
  readonly incarnation: string;
  readonly listen: string;
  readonly key: string;
  readonly modulePath: string;
}

const lines = createInterface({ input: process.stdin });
lines.once('line', (line) => {
  const launch = JSON.parse(line) as Launch;
  process.stdout.write(`${JSON.stringify({ environment: Object.keys(process.env).sort() })}\n`);
  behave(launch);
});
lines.once('close', () => process.exit());

function behave(launch: Launch): void {
  switch (launch.modulePath) {
    case 'invalid':
      process.stdout.write('an agent says hello while it is imported\n');
      process.stdout.write(
        `${JSON.stringify({ reason: 'AgentModuleInvalid', message: 'agents.ts:3:1: no agent', stack: 'Error: no agent' })}\n`,
      );
      process.exitCode = 3;
      process.stdin.destroy();
      return;
    case 'crashes':
      process.exitCode = 1;
      process.stdin.destroy();
      return;
    case 'stubborn':
      process.on('SIGTERM', () => undefined);
      break;
    case 'parent':
      void startSleeper();
      break;
    default:
  }
  serve(launch);
}

async function startSleeper(): Promise<void> {
  const { spawn } = await import('node:child_process');
  const sleeper = spawn('sleep', ['600'], { stdio: 'ignore' });
  process.stdout.write(`${JSON.stringify({ sleeper: sleeper.pid })}\n`);
}

function serve({ listen, incarnation, key }: Launch): void {
  const server = new Server();
  let pings = 0;
  const ping: handleUnaryCall<object, object> = (call, reply) => {
    if (call.metadata.get('agentpool-key')[0] !== key) {
      reply({ code: status.UNAUTHENTICATED, details: 'wrong key' });
      return;
    }
    if (++pings === 2) process.stdout.write('{"pinged":true}\n');
    reply(null, { incarnation });
  };
  const bind: handleUnaryCall<object, object> = (_call, reply) => reply(null, {});
  const { Ping, Bind } = agentRuntimeService;
  server.addService({ Ping, Bind }, { Ping: ping, Bind: bind });
  server.bindAsync(listen, ServerCredentials.createInsecure(), (error) => {
    process.stdout.write(`${JSON.stringify({ listening: error === null })}\n`);
  });
}
