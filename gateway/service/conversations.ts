/** Conversations of a project as the store has them; the owner is asked only to erase one. */
import { AppError } from '../../core/errors.ts';
import type { ConversationSummary, Store, Turn } from '../../platform/store/store.ts';
import type { Principal } from '../access/principal.ts';
import type { Method } from '../access/roles.ts';
import { invalid, requireIdentifier } from '../request-fields.ts';
import { drainMs, type OwnerCalls } from './owner-calls.ts';
import { cursorOf, pageOf, type PageOf, type PageRequest } from './page.ts';
import type { ProjectNames, ProjectTarget, ProjectTargets } from './project-target.ts';

export interface ConversationNames extends ProjectNames {
  readonly conversationId: string;
}

export interface ConversationWindow {
  /** 0: the default. */
  readonly turns: number;
  /** Only turns with a lower index; 0: the newest. */
  readonly before: number;
}

export interface Conversation extends ConversationSummary {
  /** Oldest first; their indices begin at 1, so that `before` the first asks for none and 0 can stand for the newest. */
  readonly turns: readonly Turn[];
}

const TURNS_DEFAULT = 100;
const TURNS_MAX = 1_000;

export interface ConversationsParts {
  readonly store: Pick<Store, 'listConversations' | 'readConversation' | 'readTurns'>;
  readonly targets: ProjectTargets;
  readonly owners: OwnerCalls;
}

export class Conversations {
  readonly #parts: ConversationsParts;

  constructor(parts: ConversationsParts) {
    this.#parts = parts;
  }

  /** In the order of ids. */
  async list(
    principal: Principal,
    names: ProjectNames,
    page: PageRequest,
  ): Promise<PageOf<ConversationSummary>> {
    const { store, targets } = this.#parts;
    const { key } = targets.byNames(principal, 'ListConversations', names);
    const cursor = cursorOf(page);
    const found = await store.listConversations(key, { ...cursor, limit: cursor.limit + 1 });
    return pageOf(found, cursor.limit, ({ id }) => id);
  }

  async get(
    principal: Principal,
    names: ConversationNames,
    window: ConversationWindow,
  ): Promise<Conversation> {
    const { store } = this.#parts;
    const limit = window.turns === 0 ? TURNS_DEFAULT : Math.min(window.turns, TURNS_MAX);
    if (!Number.isSafeInteger(window.before) || window.before < 0)
      throw invalid('before', 'must be a whole number, 0 or more');
    const target = this.#targetOf(principal, 'GetConversation', names);
    const [summary, turns] = await Promise.all([
      this.#find(target, names.conversationId),
      store.readTurns(
        target.key,
        names.conversationId,
        window.before === 0 ? { limit } : { limit, before: window.before - 1 },
      ),
    ]);
    return { ...summary, turns: turns.map((turn) => ({ ...turn, index: turn.index + 1 })) };
  }

  /** Erases it with its state, after the task of it that runs; one that comes meanwhile begins it anew. */
  async delete(principal: Principal, names: ConversationNames): Promise<void> {
    const target = this.#targetOf(principal, 'DeleteConversation', names);
    await this.#find(target, names.conversationId);
    const { conversationId } = names;
    await this.#parts.owners.askOrPlace(
      target,
      { method: 'forgetConversation', project: target.key, conversationId },
      drainMs(target.pool),
    );
  }

  #targetOf(principal: Principal, method: Method, names: ConversationNames): ProjectTarget {
    const target = this.#parts.targets.byNames(principal, method, names);
    requireIdentifier('conversation_id', names.conversationId);
    return target;
  }

  async #find({ key }: ProjectTarget, conversationId: string): Promise<ConversationSummary> {
    const summary = await this.#parts.store.readConversation(key, conversationId);
    if (summary === undefined)
      throw new AppError(
        'UNKNOWN_CONVERSATION',
        'the project has no such conversation: ListConversations has those that there are',
        {
          field: 'conversation_id',
        },
      );
    return summary;
  }
}
