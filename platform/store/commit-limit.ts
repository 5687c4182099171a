/** How much one task may leave in the store, how much of it is kept, and how much is read at once: no adapter can carry more in one commit or one answer. */

/** Bytes of a task's result, turns and state changes together, as JSON in UTF-8. Who makes commits checks it: a larger one would be tried for ever. */
export const COMMIT_BYTES_MAX = 56 * 1024 * 1024;

/** Bytes of the turns in one answer of `readTurns`, as JSON in UTF-8 and what each costs beside it; a turn that alone is larger comes alone. */
export const TURN_PAGE_BYTES_MAX = 8 * 1024 * 1024;

/** What a project keeps; over each of these the oldest goes. */
export interface Retention {
  readonly resultMs: number;
  readonly resultsMax: number;
  readonly resultBytesMax: number;
  readonly turnsMaxPerConversation: number;
}
