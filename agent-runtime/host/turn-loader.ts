/** Answers a worker that asks for the turns of a conversation: reads their window, after what is on its way to the store; waits out a store that is away. */
import { AppError } from '../../core/errors.ts';
import { StoreError } from '../../platform/store/store.ts';
import type { RunNumber } from '../worker/protocol.ts';
import type { Committer } from './committer.ts';
import type { InstancePorts } from './instance-ports.ts';
import type { Session } from './session.ts';

const RETRY_MS = 200;

export interface TurnsWanted {
  readonly key: string;
  readonly session: Session;
  readonly committer: Committer;
  readonly run: RunNumber;
  readonly conversationId: string;
  /** The run still waits for them. */
  wanted(): boolean;
}

/** Resolves with what can never be waited out; undefined: the worker has its turns, or wants them no more. */
export async function loadTurns(
  ports: InstancePorts,
  asked: TurnsWanted,
): Promise<AppError | undefined> {
  const { key, session, committer, run, conversationId } = asked;
  while (asked.wanted()) {
    try {
      await committer.settled();
      const limit = ports.view.spec.limits.conversationWindowTurns;
      const turns = await ports.store.readTurns(key, conversationId, { limit });
      if (asked.wanted()) session.turns(run, turns);
      return undefined;
    } catch (error) {
      const about = { err: error, conversation_id: conversationId };
      if (!(error instanceof StoreError)) {
        ports.log.error('turns cannot be read', about);
        return new AppError('INTERNAL', 'the conversation cannot be read', { cause: error });
      }
      ports.log.debug('turns not read', about);
      await ports.clock.sleep(RETRY_MS);
    }
  }
  return undefined;
}
