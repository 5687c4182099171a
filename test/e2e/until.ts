/** Waits for a condition of another process, which has no event to await: asks again and again within a bound, and says what it waited for. */

const ASK_EVERY_MS = 20;

/** Resolves with the first value that is neither undefined, null nor false; a throw counts as "not yet" and is told when time is up. */
export async function until<Value>(
  what: string,
  ask: () => Value | Promise<Value>,
  withinMs = 10_000,
): Promise<Exclude<Value, undefined | null | false>> {
  const endMs = performance.now() + withinMs;
  let last: unknown;
  for (;;) {
    try {
      const value = await ask();
      if (value !== undefined && value !== null && value !== false)
        return value as Exclude<Value, undefined | null | false>;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (performance.now() > endMs)
      throw new Error(`not within ${withinMs} ms: ${what}`, { cause: last });
    await new Promise((resolve) => setTimeout(resolve, ASK_EVERY_MS));
  }
}
