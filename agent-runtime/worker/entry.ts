/**
 * The thread of a worker: imports the agent module, puts a worker host between it and the parent. Bundled alone, without
 * grpc-js, zod or pino: an idle worker is as large as what this file imports.
 */
import { Console } from 'node:console';
import { Writable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../../platform/clock.ts';
import { systemRandom } from '../../platform/random.ts';
import { describeThrown } from './agent-failure.ts';
import { LineGate } from './agent-log.ts';
import { compactPayload } from './compact-payload.ts';
import { MessageBatch } from './message-batch.ts';
import type { FromWorker, ToWorker, WorkerStart } from './protocol.ts';
import { encodeValue } from '../../proto/value-codec.ts';
import { rehearse } from './rehearse.ts';
import { createStackMap } from './stack-map.ts';
import { broken, createWorkerHost, type Usage, type WorkerHost } from './worker-host.ts';

if (parentPort === null)
  throw new Error('this file is the entry of a worker thread: it is not run by itself');
const port = parentPort;
const { modulePath, limits } = workerData as WorkerStart;
const mapStack = createStackMap(modulePath);
/** A prewarmed worker has this long before it prepares itself for its first task: whoever waits for this one has opened a session by then. */
const IDLE_MS = 200;
let host: WorkerHost | undefined;

const outgoing = new MessageBatch<FromWorker>((messages) => {
  port.postMessage(messages);
});

function post(message: FromWorker): void {
  outgoing.add(compactPayload(message));
  // Whatever else is said while an agent runs must be heard even if that agent never yields again.
  if (message.type !== 'finished' && message.type !== 'needTurns') outgoing.flush();
  // What the module has started already (timers, sockets) would keep the thread.
  if (message.type === 'broken') process.exit(1);
}

/** What the module says while it is imported. */
const lines = new LineGate(systemClock, (line) => post({ type: 'log', session: 0, ...line }));

function log(level: 'info' | 'warn' | 'error', message: string): void {
  if (host === undefined) lines.write(level, message, {});
  else host.log(level, message);
}

function outputOf(level: 'info' | 'warn'): Writable {
  return new Writable({
    decodeStrings: false,
    write(text: string, _encoding, done) {
      log(level, text.trimEnd());
      done();
    },
  });
}

function usage(): Usage {
  const { heapUsed: heapUsedBytes, external: externalBytes } = process.memoryUsage();
  const { user, system } = process.threadCpuUsage();
  return { heapUsedBytes, externalBytes, cpuMicros: user + system };
}

globalThis.console = new Console({ stdout: outputOf('info'), stderr: outputOf('warn') });
// The thread dies of it all the same; the parent only sees places in the bundle.
process.on('uncaughtExceptionMonitor', (error) => {
  const { message, stack } = describeThrown(error, mapStack);
  log('error', stack ?? message);
});

try {
  const module: unknown = await import(pathToFileURL(modulePath).href);
  host = createWorkerHost({
    post,
    module,
    limits,
    clock: systemClock,
    random: systemRandom,
    usage,
    mapStack,
  });
  const { receive } = bound(host);
  let isBlank = true;
  port.on('message', (messages: readonly ToWorker[]) => {
    for (const message of messages) {
      if (message.type === 'open') isBlank = false;
      receive(message);
    }
  });
  systemClock.after(IDLE_MS, () => {
    // What the first protobuf value would wait for.
    encodeValue(null);
    if (isBlank)
      void rehearse({ limits, clock: systemClock, random: systemRandom, post: compactPayload });
  });
} catch (error) {
  post(broken(error, mapStack));
}

function bound(target: WorkerHost): { readonly receive: (message: ToWorker) => void } {
  return { receive: (message) => target.receive(message) };
}
