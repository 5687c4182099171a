/** A gateway of the simulation: the production core and tasks in a process that can die and be started again. */
import { createPrincipal } from '../../gateway/access/principal.ts';
import { createGatewayCore, type GatewayCore } from '../../gateway/gateway-core.ts';
import { Tasks } from '../../gateway/service/tasks.ts';
import { createRuntimeLink } from '../../platform/link/link-client.ts';
import { silentLog } from '../../platform/log.ts';
import { createMetrics } from '../../platform/metrics/registry.ts';
import type { Room } from './sim-runtime.ts';
import { SimProcess } from './world.ts';

const PRINCIPAL = createPrincipal({ subject: 'sim', tenants: ['*'], role: 'admin' });

export interface SimRequest {
  readonly tenant: string;
  readonly project: string;
  readonly conversationId: string;
  readonly requestId: string;
}

export class SimGateway {
  readonly process: SimProcess;
  readonly core: GatewayCore;
  readonly tasks: Tasks;

  constructor(room: Room, name: string) {
    const { world, network, store } = room;
    this.process = new SimProcess(world, name);
    const { clock } = this.process;
    const { random } = world;
    this.core = createGatewayCore({
      clock,
      random,
      log: silentLog,
      metrics: createMetrics(false),
      store: store.connect(this.process),
      defaultNamespace: 'default',
      routesMax: 100,
      connect: ({ incarnation, address }, pool, events) =>
        createRuntimeLink(
          { gateway: name, incarnation, address, times: pool.spec.link },
          { dial: (target) => network.dial(this.process, target), clock, random, events },
        ),
    });
    this.tasks = new Tasks(this.core.context);
    world.schedule(0, this.process, () => {
      void this.core.start();
    });
  }

  /** The text of the answer; rejects like any caller's. Never settles when the gateway dies. */
  async execute({ tenant, project, conversationId, requestId }: SimRequest): Promise<string> {
    const handle = this.tasks.start({
      principal: PRINCIPAL,
      remainingMs: Infinity,
      request: {
        pool: 'sim',
        tenant,
        project,
        agent: '',
        conversationId,
        requestId,
        priority: 'NORMAL',
        maxWaitMs: 0,
        timeoutMs: 0,
        retry: 'SAFE',
        onDisconnect: 'CANCEL',
        metadata: {},
        input: { arm: 'json_utf8', body: new Uint8Array([0x7b, 0x7d]) },
        leaseId: '',
      },
    });
    const answer = await handle.answer;
    return new TextDecoder().decode(answer.body);
  }
}
