/** The generated types of the Kubernetes API as its JSON has them: times are text, nothing is written to. Types only. */

/** `V1Pod` of the package says `Date` where the API server sends RFC 3339 text; this says text. */
export type Wire<T> = T extends Date
  ? string
  : T extends readonly (infer Item)[]
    ? readonly Wire<Item>[]
    : T extends object
      ? // `_from` is how the package writes words that its language keeps for itself.
        { readonly [Key in keyof T as Key extends `_${infer Name}` ? Name : Key]: Wire<T[Key]> }
      : T;
