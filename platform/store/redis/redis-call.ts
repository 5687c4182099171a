/** One command to Redis, and who sends it: what the parts of the store ask of its connection. */

export type Arg = string | number | Buffer;

export interface Call {
  /** For messages. */
  readonly name: string;
  /** Without an answer the outcome is unknown. */
  readonly writes: boolean;
  readonly command: string;
  readonly args: readonly Arg[];
  /** Where it is known to be large: Redis may take its time. */
  readonly answerBytes?: number;
}

export interface Caller {
  /** Whether there is a connection: without one every call fails at once. */
  readonly isReady: boolean;
  /** Strings come as bytes. @throws StoreError */
  call(call: Call): Promise<unknown>;
  /** The same of several, which are sent together. */
  callAll(calls: readonly Call[]): Promise<readonly unknown[]>;
}
