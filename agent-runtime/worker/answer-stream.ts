/** Runs what `process` returned to its answer: a value, a promise, or a generator whose chunks are handed on one by one. */

export interface StreamSink {
  /** Resolves when the next chunk may come. */
  chunk(chunk: unknown): Promise<void>;
  /** The task has ended: pull no more, and let the generator clean up. */
  stopped(): boolean;
}

type Steps = AsyncIterator<unknown, unknown> | Iterator<unknown, unknown>;

export async function pump(returned: unknown, sink: StreamSink): Promise<unknown> {
  const value = await returned;
  const steps = stepsOf(value);
  if (steps === undefined) return value;
  for (;;) {
    const step = await steps.next();
    if (step.done === true) return step.value;
    try {
      if (!sink.stopped()) await sink.chunk(step.value);
    } catch (error) {
      await close(steps);
      throw error;
    }
    if (sink.stopped()) return close(steps);
  }
}

/** Of anything to stream from: generators, and async iterables such as a reader of another service. Arrays are values. */
function stepsOf(value: unknown): Steps | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const iterable = value as Partial<
    AsyncIterable<unknown> & Iterable<unknown> & Iterator<unknown, unknown>
  >;
  if (typeof iterable[Symbol.asyncIterator] === 'function')
    return iterable[Symbol.asyncIterator]?.();
  return typeof iterable.next === 'function' && typeof iterable[Symbol.iterator] === 'function'
    ? iterable[Symbol.iterator]?.()
    : undefined;
}

/** Runs its `finally` blocks; whatever they do, the task has ended. */
async function close(steps: Steps): Promise<undefined> {
  await steps.return?.();
  return undefined;
}
