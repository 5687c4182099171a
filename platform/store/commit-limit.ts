/** How much one task may leave in the store: whoever makes commits checks it, as a commit that no adapter can carry would be tried for ever. */

/** Bytes of a task's result, turns and state changes together, as JSON in UTF-8. */
export const COMMIT_BYTES_MAX = 56 * 1024 * 1024;
