/** The generated types of the Kubernetes API as its JSON has them: times are text, nothing is written to. Types only. */

/** `V1Pod` of the package says `Date` where the API server sends RFC 3339 text; this says text. */
export type Wire<T> = T extends Date
  ? string
  : T extends readonly (infer Item)[]
    ? readonly Wire<Item>[]
    : T extends object
      ? { readonly [Key in keyof T]: Wire<T[Key]> }
      : T;
