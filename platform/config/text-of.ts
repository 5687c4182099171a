/** One variable of the environment. Knows none by name. */

export type Variables = Readonly<Record<string, string | undefined>>;

/** An empty variable counts as unset. */
export function textOf(name: string, variables: Variables): string | undefined {
  const text = variables[name]?.trim();
  return text === '' ? undefined : text;
}
