/**
 * One task from its start to its one `finished`: load the conversation, call the agent on an overlay, stage what it did.
 * Whatever ends it first wins; what the agent still does afterwards is ignored.
 */
import { AppError } from '../../core/errors.ts';
import type { StateWrite, Turn } from '../../platform/store/store.ts';
import { agentFailure, type TaskFailure } from './agent-failure.ts';
import { agentLog } from './agent-log.ts';
import { pump } from './answer-stream.ts';
import { ChunkSender } from './chunk-sender.ts';
import type { RerunTurn } from './conflicts.ts';
import { agentContext, taskContext, taskOf } from './context.ts';
import { readTurns } from './conversation-cache.ts';
import { answerOf, inputJson, readInput, type Answer } from './payloads.ts';
import type { RunNumber, RunOutcome, TaskStart } from './protocol.ts';
import type { LiveAgent, RunSurroundings } from './run-surroundings.ts';
import {
  answerTooLarge,
  commitTooLarge,
  conflictFailure,
  stateTooLarge,
} from './staging-failures.ts';
import { StateOverlay } from './state-overlay.ts';

type StoredTurn = Omit<Turn, 'index'>;

const ABORT_MESSAGES = {
  CANCELLED: 'the task was cancelled',
  DEADLINE: 'the task ran out of time',
  SLOW_CONSUMER: 'the caller does not take the chunks',
} as const;
export type CancelReason = keyof typeof ABORT_MESSAGES;

export class Run {
  readonly number: RunNumber;
  readonly conversationId: string;
  readonly #around: RunSurroundings;
  readonly #task: TaskStart;
  readonly #agent: LiveAgent;
  readonly #startedWallMs: number;
  readonly #abort = new AbortController();
  readonly #chunks: ChunkSender;
  #takeTurns: ((turns: readonly StoredTurn[]) => void) | undefined;
  /** Of the call of the agent that counts; a rerun is a second one. */
  #overlay: StateOverlay | undefined;
  #rerun: RerunTurn | undefined;
  #rejected: Promise<never> | undefined;
  #ended = false;
  #warnedOfLateWrite = false;

  constructor(around: RunSurroundings, number: RunNumber, task: TaskStart, agent: LiveAgent) {
    this.#around = around;
    this.number = number;
    this.conversationId = task.conversationId;
    this.#task = task;
    this.#agent = agent;
    this.#startedWallMs = around.clock.wallMs();
    this.#chunks = new ChunkSender(around.limits, task.input.arm, (chunk) =>
      around.post({ type: 'chunk', run: number, ...chunk }),
    );
  }

  start(): void {
    this.#work().then(
      (outcome) => {
        if (outcome !== undefined) this.#end(outcome);
      },
      (error: unknown) => {
        this.#end(agentFailure(error, this.#around.mapStack));
      },
    );
  }

  turnsLoaded(turns: readonly StoredTurn[]): void {
    this.#takeTurns?.(turns);
  }

  chunksTaken(bytes: number): void {
    this.#chunks.taken(bytes);
  }

  cancel(reason: CancelReason): void {
    if (this.#ended) return;
    this.#end({ type: 'cancelled' });
    this.#abortAgent(reason);
  }

  /** Undefined: something else has ended the task. */
  async #work(): Promise<RunOutcome | undefined> {
    const turns = await this.#loadTurns();
    if (this.#ended) return undefined;
    const refused = this.#checkInput();
    if (refused !== undefined) return refused;
    for (;;) {
      const overlay = this.#begin();
      const result = await this.#call(overlay, turns);
      if (this.#hasEnded()) return undefined;
      const outcome = await this.#stage(overlay, result);
      if (outcome !== 'conflict') return outcome;
      if (this.#rerun !== undefined || this.#chunks.streamed)
        return conflictFailure(overlay.writes, this.#chunks.streamed);
      await this.#takeRerunTurn(overlay);
      if (this.#hasEnded()) return undefined;
    }
  }

  async #loadTurns(): Promise<readonly StoredTurn[]> {
    const { conversations } = this.#around;
    const id = this.conversationId;
    if (this.#task.newConversation && conversations.get(id) === undefined)
      conversations.put(id, []);
    const cached = conversations.get(id);
    if (cached !== undefined) return cached;
    this.#around.post({ type: 'needTurns', run: this.number, conversationId: id });
    const loaded = await new Promise<readonly StoredTurn[]>((resolve) => {
      this.#takeTurns = resolve;
    });
    // Another task of the conversation may have loaded it meanwhile, and appended.
    if (conversations.get(id) === undefined) conversations.put(id, loaded);
    return conversations.get(id) ?? loaded.slice(-this.#around.limits.conversationWindowTurns);
  }

  #checkInput(): TaskFailure | undefined {
    try {
      const input = readInput(this.#task.input);
      this.#agent.checkInput?.(input);
      return undefined;
    } catch (error) {
      if (!(error instanceof AppError)) return agentFailure(error, this.#around.mapStack);
      return {
        type: 'error',
        reason: 'INVALID_FIELD',
        message: error.message,
        field: error.field ?? 'input',
      };
    }
  }

  #begin(): StateOverlay {
    const overlay = new StateOverlay(this.#around.state, this.#around.limits.stateBytesMax, {
      beforeUpdate: (key) => this.#rerun?.hold([key]),
      lateWrite: (key) => this.#warnOfLateWrite(key),
    });
    this.#overlay = overlay;
    return overlay;
  }

  async #call(overlay: StateOverlay, turns: readonly StoredTurn[]): Promise<unknown> {
    const { behaviour, name } = this.#agent;
    const log = agentLog(this.#around.lines, name, this.number);
    const context = taskContext(agentContext(this.#around, log, this.#abort.signal), {
      task: this.#task,
      state: overlay.stateOf({ agent: name }),
      conversationState: overlay.stateOf({ agent: name, conversation: this.conversationId }),
      readTurns: () => readTurns(turns),
      emit: (chunk) => this.#emit(chunk, overlay),
    });
    const task = taskOf(this.#task, readInput(this.#task.input), this.#startedWallMs);
    return pump(behaviour.process(task, context), {
      chunk: (chunk) => this.#emit(chunk, overlay),
      stopped: () => this.#overlay !== overlay || this.#ended,
    });
  }

  /** The promise never counts as an unhandled rejection: who does not await it has not asked. */
  #emit(value: unknown, overlay: StateOverlay): Promise<void> {
    if (this.#ended || this.#overlay !== overlay) return this.#rejectQuietly();
    const failure = this.#chunks.send(value);
    if (failure === undefined) return this.#chunks.room();
    this.#end(failure);
    this.#abortAgent('SLOW_CONSUMER');
    return this.#rejectQuietly();
  }

  /** One for all, as an agent that does not look may emit on and on. */
  #rejectQuietly(): Promise<never> {
    if (this.#rejected === undefined) {
      const reason: unknown = this.#abort.signal.reason;
      this.#rejected = Promise.reject(
        reason instanceof Error ? reason : new DOMException('the task has ended', 'AbortError'),
      );
      this.#rejected.catch(() => undefined);
    }
    return this.#rejected;
  }

  /** Atomic from the last `await` on: nothing can be staged between the check and the writes. */
  async #stage(
    overlay: StateOverlay,
    result: unknown,
  ): Promise<RunOutcome | 'conflict' | undefined> {
    const answer = answerOf(result, this.#task.input.arm);
    const { conflicts, limits, state } = this.#around;
    const tooLarge = answerTooLarge(answer, limits);
    if (tooLarge !== undefined) return tooLarge;
    for (;;) {
      const held = conflicts.waitFor(overlay.writtenKeys, this.#rerun);
      if (held === undefined) break;
      await held;
      if (this.#hasEnded()) return undefined;
    }
    if (overlay.hasConflict) return 'conflict';
    const turns = this.#turns(answer);
    return (
      stateTooLarge(state, overlay.writes, limits) ??
      commitTooLarge(answer, [...overlay.writes, ...turns]) ??
      this.#commit(overlay.writes, answer, turns)
    );
  }

  #turns(answer: Answer): readonly StoredTurn[] {
    const { requestId } = this.#task;
    return [
      { role: 'user', json: inputJson(this.#task.input), timeMs: this.#startedWallMs, requestId },
      { role: 'assistant', json: answer.json, timeMs: this.#around.clock.wallMs(), requestId },
    ];
  }

  #commit(writes: readonly StateWrite[], answer: Answer, turns: readonly StoredTurn[]): RunOutcome {
    this.#around.state.apply(writes);
    this.#around.conversations.append(this.conversationId, turns);
    const reran = this.#rerun !== undefined;
    const outcome: RunOutcome = { type: 'success', output: answer.payload, writes, turns, reran };
    // Here and not when the promise arrives: from now on a cancel must lose.
    this.#end(outcome);
    return outcome;
  }

  /** Or finds out that the task ended while it waited. */
  async #takeRerunTurn(overlay: StateOverlay): Promise<void> {
    overlay.seal();
    this.#overlay = undefined;
    const turn = await this.#around.conflicts.takeTurn();
    if (this.#ended) {
      turn.release();
      return;
    }
    turn.hold(overlay.dependentKeys);
    this.#rerun = turn;
  }

  #warnOfLateWrite(key: string): void {
    if (this.#abort.signal.aborted || this.#warnedOfLateWrite) return;
    this.#warnedOfLateWrite = true;
    this.#around.lines.write(
      'warn',
      'a state change after the task had ended has no effect: is an await missing?',
      { agent: this.#agent.name, key },
      this.number,
    );
  }

  #abortAgent(reason: CancelReason): void {
    this.#abort.abort(new DOMException(ABORT_MESSAGES[reason], 'AbortError'));
  }

  /** Asked after an await, where the compiler would still believe the last answer. */
  #hasEnded(): boolean {
    return this.#ended;
  }

  #end(outcome: RunOutcome): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#overlay?.seal();
    this.#rerun?.release();
    this.#chunks.close();
    this.#around.finished(this.number, outcome);
  }
}
