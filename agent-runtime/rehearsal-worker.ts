/** A worker that answers in this thread as one whose agent says a word and remembers a number. Runs no code of agents. */
import type {
  FromWorker,
  RunNumber,
  RunOutcome,
  SessionNumber,
  StartWorker,
  ToWorker,
  WorkerChannel,
  WorkerListener,
} from './worker/protocol.ts';
import { compactPayload } from './worker/compact-payload.ts';
import { MessageBatch } from './worker/message-batch.ts';

/** Its only agent. */
export const REHEARSED = 'rehearsal';

const OUTPUT = { arm: 'json_utf8', body: new TextEncoder().encode('{}') } as const;
const TURN = { json: '{}', timeMs: 0, requestId: REHEARSED } as const;
const OUTCOME: RunOutcome = {
  type: 'success',
  output: OUTPUT,
  writes: [{ agent: REHEARSED, key: 'count', json: '1' }],
  turns: [
    { role: 'user', ...TURN },
    { role: 'assistant', ...TURN },
  ],
  reran: false,
};

/** @param failed the host has thrown what nobody would catch. */
export function rehearsalWorkers(failed: (error: unknown) => void): StartWorker {
  return () => new RehearsalWorker(failed);
}

class RehearsalWorker implements WorkerChannel {
  readonly id = 0;
  #listener: WorkerListener | undefined;
  readonly #received = new MessageBatch<ToWorker>((messages) => {
    for (const message of messages) this.#answer(message);
  });
  readonly #said: MessageBatch<FromWorker>;

  constructor(failed: (error: unknown) => void) {
    this.#said = new MessageBatch((messages) => {
      try {
        for (const message of messages) this.#listener?.message(message);
      } catch (error) {
        failed(error);
      }
    });
  }

  post(message: ToWorker): void {
    this.#received.add(compactPayload(message));
  }

  listen(listener: WorkerListener): void {
    this.#listener = listener;
    const agents = [{ name: REHEARSED, description: '', concurrency: 'conversation' }] as const;
    this.#said.add({ type: 'ready', agents });
  }

  terminate(): void {
    this.#listener = undefined;
  }

  #answer(message: ToWorker): void {
    switch (message.type) {
      case 'open':
        this.#said.add({ type: 'opened', session: message.session });
        return;
      case 'run': {
        const { session, run, task } = message;
        const { newConversation, conversationId } = task;
        if (newConversation) this.#finish(session, run);
        else this.#said.add({ type: 'needTurns', session, run, conversationId });
        return;
      }
      case 'turns':
        this.#finish(message.session, message.run);
        return;
      default:
    }
  }

  #finish(session: SessionNumber, run: RunNumber): void {
    this.#said.add({ type: 'chunk', session, run, kind: 'TEXT', payload: OUTPUT });
    this.#said.add({ type: 'finished', session, run, outcome: OUTCOME });
  }
}
