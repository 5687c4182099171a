/** Names for the runtimes that one pass makes: none that is in use, none twice. Asks what is in use once, however many are made. */
import type { Role } from '../../api/names.ts';
import type { Driver, RuntimeName } from './driver.ts';
import type { NameRuntime } from './name-runtime.ts';
import type { PoolRun } from './pool-run.ts';

export class NamesOfPass {
  readonly #run: Pick<PoolRun, 'key' | 'ref' | 'orders'>;
  readonly #driver: Pick<Driver, 'namesInUse'>;
  readonly #nameRuntime: NameRuntime;
  /** Undefined: nobody has asked yet. */
  #taken: Set<RuntimeName> | undefined;
  /** By role and revision: the one that was given last. */
  readonly #last = new Map<string, RuntimeName>();

  constructor(
    run: Pick<PoolRun, 'key' | 'ref' | 'orders'>,
    { driver, nameRuntime }: { driver: Pick<Driver, 'namesInUse'>; nameRuntime: NameRuntime },
  ) {
    this.#run = run;
    this.#driver = driver;
    this.#nameRuntime = nameRuntime;
  }

  next(role: Role, revision: string): RuntimeName {
    const { key, ref, orders } = this.#run;
    const taken = (this.#taken ??= new Set([
      ...orders.names,
      ...(this.#driver.namesInUse?.(key) ?? []),
    ]));
    const kind = `${role} ${revision}`;
    const after = this.#last.get(kind);
    const name = this.#nameRuntime({
      ...{ pool: ref, role, revision, taken },
      ...(after === undefined ? {} : { after }),
    });
    taken.add(name);
    this.#last.set(kind, name);
    return name;
  }
}
