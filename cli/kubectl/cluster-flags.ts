/** The flags that choose a cluster and a place in it, as users of kubectl write them: before the command or anywhere behind it. */
import { CliError, EXIT_CODES } from '../exit-code.ts';

export interface ClusterFlags {
  readonly context?: string;
  readonly kubeconfig?: string;
  readonly releaseNamespace?: string;
}

const FIELDS = new Map<string, keyof ClusterFlags>([
  ['--context', 'context'],
  ['--kubeconfig', 'kubeconfig'],
  ['--release-namespace', 'releaseNamespace'],
]);

/** What is left is for the client; nothing behind `--` is a flag. */
export function takeClusterFlags(args: readonly string[]): {
  readonly flags: ClusterFlags;
  readonly args: readonly string[];
} {
  const flags: Partial<Record<keyof ClusterFlags, string>> = {};
  const left: string[] = [];
  const options = optionsOf(args);
  for (let index = 0; index < options.length; index += 1) {
    const [name, value] = parted(options[index] ?? '');
    const field = FIELDS.get(name);
    if (field === undefined) {
      left.push(options[index] ?? '');
      continue;
    }
    if (value === undefined) index += 1;
    const given = value ?? options[index] ?? '';
    if (given === '') throw new CliError(`${name} needs a value`, EXIT_CODES.Usage);
    flags[field] = given;
  }
  return { flags, args: [...left, ...args.slice(options.length)] };
}

/** In both ways to write it: an address of somebody else must never be sent the token of the cluster's gateway. */
export function namesServer(args: readonly string[]): boolean {
  return optionsOf(args).some((argument) => parted(argument)[0] === '--server');
}

/** Whichever was taken, a command could strike what its user did not mean. */
export function refuseTwoPlaces(flags: ClusterFlags, args: readonly string[]): void {
  const [flag] = [...FIELDS].find(([, field]) => flags[field] !== undefined) ?? [];
  if (flag === undefined || !namesServer(args)) return;
  throw new CliError(
    `--server and ${flag} are two places: one is a gateway, the other says in which cluster to find it`,
    EXIT_CODES.Usage,
    'Leave one of them out.',
  );
}

export function asksForHelp(args: readonly string[]): boolean {
  return args[0] === 'help' || optionsOf(args).some((one) => one === '-h' || one === '--help');
}

function optionsOf(args: readonly string[]): readonly string[] {
  const end = args.indexOf('--');
  return end === -1 ? args : args.slice(0, end);
}

/** `--name=value` in two. */
function parted(argument: string): readonly [string, string?] {
  const equals = argument.indexOf('=');
  return equals === -1 ? [argument] : [argument.slice(0, equals), argument.slice(equals + 1)];
}
