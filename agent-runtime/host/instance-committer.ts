/** The committer of one instance, with the pool's rules of retention and durability as they are at each commit. */
import type { RateBucket } from '../../core/rate.ts';
import type { Claim } from '../../platform/store/store.ts';
import { Committer } from './committer.ts';
import { ConversationBound, type BoundInstance } from './conversation-bound.ts';
import type { InstancePorts } from './instance-ports.ts';

export interface CommitEvents {
  rate(): RateBucket | undefined;
  onLost(): void;
  onIdle(): void;
  onDoubt(inDoubt: boolean): void;
}

export function createInstanceCommitter(
  ports: InstancePorts,
  claim: Claim,
  instance: BoundInstance,
  events: CommitEvents,
): Committer {
  const { view, metrics } = ports;
  const bound = new ConversationBound(ports, instance);
  return new Committer(
    {
      ...ports,
      retention: () => {
        const { retention } = view.spec.checkpoint;
        return {
          resultMs: retention.resultSeconds * 1000,
          resultsMax: retention.resultsPerProjectMax,
          resultBytesMax: retention.resultBytesMaxPerProject,
          turnsMaxPerConversation: retention.turnsMaxPerConversation,
        };
      },
      flush: () => view.spec.checkpoint.durability === 'Machine',
      counted: (outcome, tasks) => {
        metrics.committed(outcome, tasks);
      },
      kept: (conversations) => {
        bound.check(conversations);
      },
      rate: () => events.rate(),
      onLost: () => {
        events.onLost();
      },
      onIdle: () => {
        events.onIdle();
      },
      onDoubt: (inDoubt) => {
        events.onDoubt(inDoubt);
      },
    },
    claim,
  );
}
