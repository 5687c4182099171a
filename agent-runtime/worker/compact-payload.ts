/** Messages made ready for another thread: a view is cloned with the whole buffer behind it, which can be a shared pool. */
import type { FromWorker, ToWorker } from './protocol.ts';
import type { Payload } from '../../platform/store/store.ts';

export function compactPayload<Message extends FromWorker | ToWorker>(message: Message): Message {
  if (message.type === 'run')
    return { ...message, task: { ...message.task, input: compact(message.task.input) } };
  if (message.type === 'chunk') return { ...message, payload: compact(message.payload) };
  if (message.type === 'finished' && message.outcome.type === 'success') {
    return { ...message, outcome: { ...message.outcome, output: compact(message.outcome.output) } };
  }
  return message;
}

function compact(payload: Payload): Payload {
  const { arm, body } = payload;
  return body.byteLength === body.buffer.byteLength && body.constructor === Uint8Array
    ? payload
    : { arm, body: new Uint8Array(body) };
}
