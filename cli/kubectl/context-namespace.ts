/** The namespace that kubectl would take: that of the chosen context in the kubeconfig. Says why where no context can be chosen. */
import { CliError, EXIT_CODES } from '../exit-code.ts';
import { at, type Row, rowsAt } from '../output/json-value.ts';

export interface Choice {
  /** Left out: the current one. */
  readonly context?: string;
  /** The kubeconfig's files, for messages. */
  readonly place: string;
  /** Of the pod that this runs in, if it does: without any context kubectl takes its service account. */
  readonly podNamespace?: string;
}

/** Where a context names none, as kubectl has it. */
const NAMESPACE = 'default';
const NAMES_SHOWN_MAX = 20;

/** @param config what `kubectl config view --output=json` says. */
export function contextNamespace(config: unknown, choice: Choice): string {
  const contexts = rowsAt(config, 'contexts');
  const { place } = choice;
  if (contexts.length === 0) {
    if (choice.podNamespace !== undefined && choice.context === undefined)
      return choice.podNamespace;
    throw new CliError(
      `there is no context in ${place}`,
      EXIT_CODES.Usage,
      'Name a kubeconfig: --kubeconfig FILE, or KUBECONFIG in the environment.',
    );
  }
  const wanted = choice.context ?? currentOf(config);
  if (wanted === undefined)
    throw new CliError(
      `no context is current in ${place}; there is ${namesOf(contexts)}`,
      EXIT_CODES.Usage,
      'Choose one: kubectl agentpool --context NAME …, or for good: kubectl config use-context NAME.',
    );
  const found = contexts.find(({ name }) => name === wanted);
  if (found === undefined)
    throw new CliError(
      `no context is named ${wanted} in ${place}; there is ${namesOf(contexts)}`,
      EXIT_CODES.Usage,
      'Choose one of them: kubectl agentpool --context NAME …',
    );
  const namespace = at(found, 'context', 'namespace');
  return typeof namespace === 'string' && namespace !== '' ? namespace : NAMESPACE;
}

function currentOf(config: unknown): string | undefined {
  const current = at(config, 'current-context');
  return typeof current === 'string' && current !== '' ? current : undefined;
}

function namesOf(contexts: readonly Row[]): string {
  const names = contexts.map(({ name }) => String(name));
  const more = names.length > NAMES_SHOWN_MAX ? ', …' : '';
  return `${names.slice(0, NAMES_SHOWN_MAX).join(', ')}${more}`;
}
