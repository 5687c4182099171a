/**
 * Keeps a project to `retention.conversationsPerProjectMax`: what was used least recently is erased with its state, in turn with its tasks. Soon
 * after the commit that made one too many, not with it: which is the oldest takes a look at all of them, once for many.
 */
import type { ConversationSummary } from '../../platform/store/store.ts';
import type { InstancePorts } from './instance-ports.ts';
import type { Session } from './session.ts';
import { conversationLock } from './task-queue.ts';
import type { Errand } from './runner-host.ts';

const PAGE_MAX = 1_000;
/** At once; the next commit goes on. */
const ERASED_MAX = 100;
/** So that not every new conversation makes all of them be looked at: this part of the bound is made free. */
const ROOM_PART = 0.05;

export interface BoundInstance {
  readonly key: string;
  readonly session: Session | undefined;
  readonly tasks: { addErrand(errand: Errand): void };
  commit(change: { readonly forget: string }): Promise<unknown>;
}

export class ConversationBound {
  readonly #ports: Pick<InstancePorts, 'store' | 'view' | 'log'>;
  readonly #instance: BoundInstance;
  #isAtWork = false;

  constructor(ports: Pick<InstancePorts, 'store' | 'view' | 'log'>, instance: BoundInstance) {
    this.#ports = ports;
    this.#instance = instance;
  }

  /** @param conversations as many as the project has now */
  check(conversations: number): void {
    const { conversationsPerProjectMax: max } = this.#ports.view.spec.checkpoint.retention;
    if (conversations <= max || this.#isAtWork) return;
    this.#isAtWork = true;
    void this.#erase(Math.ceil(max * (1 - ROOM_PART)));
  }

  async #erase(kept: number): Promise<void> {
    try {
      const all = await this.#readAll();
      const oldest = all.toSorted((a, b) => a.updatedMs - b.updatedMs);
      const erased = oldest.slice(0, Math.min(Math.max(0, all.length - kept), ERASED_MAX));
      await Promise.all(erased.map((conversation) => this.#eraseInTurn(conversation)));
    } catch (error) {
      this.#ports.log.debug('conversations not erased', { err: error });
    } finally {
      this.#isAtWork = false;
    }
  }

  async #readAll(): Promise<readonly ConversationSummary[]> {
    const all: ConversationSummary[] = [];
    for (;;) {
      const after = all.at(-1)?.id;
      const window = after === undefined ? { limit: PAGE_MAX } : { limit: PAGE_MAX, after };
      const page = await this.#ports.store.listConversations(this.#instance.key, window);
      all.push(...page);
      if (page.length < PAGE_MAX) return all;
    }
  }

  #eraseInTurn(seen: ConversationSummary): Promise<void> {
    return new Promise((resolve) => {
      this.#instance.tasks.addErrand({
        type: 'errand',
        priority: 'LOW',
        locks: [conversationLock(seen.id)],
        run: () => this.#eraseUnlessUsed(seen).then(resolve, resolve),
        dropped: () => resolve(),
      });
    });
  }

  async #eraseUnlessUsed({ id, turnCount }: ConversationSummary): Promise<void> {
    const { session, key } = this.#instance;
    const now = await this.#ports.store.readConversation(key, id);
    if (now?.turnCount !== turnCount) return;
    session?.forget(id);
    await this.#instance.commit({ forget: id });
  }
}
