/**
 * All projects that are on this runtime: the front door of tasks, the room that instances take, and what becomes of the idle ones.
 * What happens inside one project is project.ts.
 */
import { parseInstanceId, type ProjectKey } from '../../core/identifiers.ts';
import type { Caller } from './caller.ts';
import {
  chooseVictim,
  isHibernationDue,
  roomOf,
  tenantRoomOf,
  type Candidate,
} from './instance-room.ts';
import type { EvictionReason } from './metrics.ts';
import { decidePlacement } from './placement.ts';
import type { Occupant, ProjectPorts, Target } from './project-ports.ts';
import { Project } from './project.ts';
import { Signal } from './signal.ts';

/** Keys of one `readProjects`. */
const READ_MAX = 1_000;
const BYTES_PER_MIB = 1_048_576;

export interface ProjectsRules {
  readonly role: 'shared' | 'dedicated';
  draining(): boolean;
  /** False: this runtime takes no such project; its callers are sent elsewhere. */
  takes(key: ProjectKey): boolean;
  /** Observed bytes of all instances. */
  memoryBytes(): number;
}

type Ports = Omit<ProjectPorts, 'enterRoom' | 'gone' | 'changed' | 'offer'>;

interface Place extends Candidate {
  readonly project: Project;
  readonly tenant: string;
}

export class Projects {
  readonly #ports: ProjectPorts;
  readonly #rules: ProjectsRules;
  readonly #projects = new Map<ProjectKey, Project>();
  readonly #inRoom = new Set<Occupant>();
  readonly #room: Signal;
  #roomWaiters = 0;
  readonly #left: Signal;

  constructor(ports: Ports, rules: ProjectsRules) {
    this.#rules = rules;
    this.#room = new Signal(ports.clock);
    this.#left = new Signal(ports.clock);
    this.#ports = {
      ...ports,
      enterRoom: (project, wanted) => this.#enterRoom(project, wanted),
      gone: (project) => {
        this.#gone(project);
      },
      changed: (project) => {
        this.#changed(project);
      },
      offer: (caller) => {
        this.offer(caller);
      },
    };
  }

  get size(): number {
    return this.#projects.size;
  }

  get all(): readonly Project[] {
    return [...this.#projects.values()];
  }

  /** Tasks wait for an activation. */
  get activating(): boolean {
    for (const project of this.#projects.values()) if (project.state === 'activating') return true;
    return false;
  }

  find(key: ProjectKey): Project | undefined {
    return this.#projects.get(key);
  }

  /** The project, made where it is not here yet; undefined where this runtime does not take it. */
  open(key: ProjectKey): Project | undefined {
    const known = this.#projects.get(key);
    if (known !== undefined) return known;
    if (!this.#rules.takes(key)) return undefined;
    const project = new Project(this.#ports, key);
    this.#projects.set(key, project);
    return project;
  }

  offer(caller: Caller): void {
    if (caller.answered) return;
    const { leftBecause } = caller;
    if (leftBecause !== undefined) {
      caller.fail(leftBecause);
      return;
    }
    const home = this.#homeElsewhere(caller);
    const project = home === undefined ? this.open(caller.header.project) : undefined;
    if (project !== undefined) project.offer(caller);
    else caller.elsewhere(home && { ...home, epoch: caller.leftEpoch }, caller.leftEpoch);
  }

  fence(): void {
    for (const project of this.all) project.fence();
  }

  /** Ends what is not ours any more. Rejects when the store cannot be asked. */
  async verify(): Promise<void> {
    const claimed = this.all.filter(({ instance }) => instance?.claimed === true);
    for (let at = 0; at < claimed.length; at += READ_MAX) {
      const some = claimed.slice(at, at + READ_MAX);
      const records = await this.#ports.store.readProjects(some.map(({ key }) => key));
      some.forEach((project, index) => {
        if (!project.matches(records[index])) project.lost();
      });
    }
  }

  resume(): void {
    for (const project of this.all) project.resume();
    this.settleAll();
  }

  /** Tiers, runtimes or the spec have changed: idle projects follow at once, busy ones at quiescence. */
  settleAll(): void {
    for (const project of this.all) {
      project.instance?.tasks.pump();
      this.#settle(project);
    }
    this.#room.notify();
  }

  /** Hibernates what is idle for too long, and the idlest while memory is short. */
  hibernate(options: { readonly memoryShort: boolean }): void {
    if (!this.#ports.lease.held) return;
    const { warm, cold } = this.#ports.view.spec.tiers;
    const idleMsMax = {
      HOT: undefined,
      WARM: warm.idleSeconds * 1000,
      COLD: cold.idleSeconds * 1000,
    };
    for (const place of this.#places()) {
      if (isHibernationDue({ ...place, idleMsMax: idleMsMax[place.tier] }))
        void this.#evict(place, 'idle');
    }
    if (!options.memoryShort && !this.#memoryFull()) return;
    const victim = chooseVictim(this.#places());
    if (victim !== undefined) void this.#evict(victim, 'memory');
  }

  /** Resolves with true when no project is here any more, false when that took too long. */
  async whenEmpty(withinMs: number): Promise<boolean> {
    const untilMs = this.#ports.clock.nowMs() + withinMs;
    while (this.#projects.size > 0) {
      const leftMs = untilMs - this.#ports.clock.nowMs();
      if (leftMs <= 0) return false;
      await this.#left.wait(leftMs);
    }
    return true;
  }

  async #enterRoom(project: Occupant, wanted: () => boolean): Promise<boolean> {
    for (let tries = 0; !this.#inRoom.has(project); tries += 1) {
      const full = this.#fullness(project);
      if (full === 'no') {
        this.#inRoom.add(project);
        break;
      }
      if (tries === 0) this.#ports.metrics.quotaRejected('instances');
      const victim = chooseVictim(this.#victims(project, full));
      if (victim === undefined) await this.#waitForRoom();
      else await this.#evict(victim, 'count');
      if (!wanted()) return false;
    }
    return true;
  }

  async #waitForRoom(): Promise<void> {
    this.#roomWaiters += 1;
    await this.#room.wait(1000);
    this.#roomWaiters -= 1;
  }

  /** What there is no room in: the runtime, or the tenant's part of it. */
  #fullness(project: Occupant): 'no' | 'runtime' | 'tenant' {
    const { view } = this.#ports;
    if (this.#rules.role === 'dedicated') return 'no';
    const { sharedRuntimes, hotProjects } = view;
    const perReplicaMax = view.spec.tiers.warm.maxInstancesPerReplica;
    const max = roomOf({
      perReplicaMax,
      poolMax: view.spec.maxInstances,
      hotProjects,
      sharedRuntimes,
    });
    const tenant = tenantOf(project);
    const tenantMax = view.tenantInstancesMax(tenant);
    const ofTenant =
      tenantMax === undefined
        ? 0
        : [...this.#inRoom].filter((other) => tenantOf(other) === tenant).length;
    if (tenantMax !== undefined && ofTenant >= tenantRoomOf(tenantMax, sharedRuntimes))
      return 'tenant';
    return this.#inRoom.size >= max || (this.#inRoom.size > 0 && this.#memoryFull())
      ? 'runtime'
      : 'no';
  }

  #memoryFull(): boolean {
    const maxMb = this.#ports.view.spec.tiers.warm.maxMemoryMbPerReplica;
    return maxMb !== undefined && this.#rules.memoryBytes() > maxMb * BYTES_PER_MIB;
  }

  #victims(project: Occupant, full: 'runtime' | 'tenant'): readonly Place[] {
    const tenant = tenantOf(project);
    return this.#places().filter((place) => full === 'runtime' || place.tenant === tenant);
  }

  #places(): readonly Place[] {
    return this.all.flatMap((project) => {
      const { instance } = project;
      if (instance === undefined || !project.idle) return [];
      // Idle since this very moment counts as idle.
      const idleMs = Math.max(1, instance.idleMs);
      return {
        project,
        tenant: tenantOf(project),
        tier: instance.tier,
        idleMs,
        leased: instance.leases.length > 0,
      };
    });
  }

  async #evict({ project }: Place, reason: EvictionReason): Promise<void> {
    await project.leave(reason, { tell: false });
  }

  #changed({ key }: Occupant): void {
    const project = this.#projects.get(key);
    if (project === undefined) return;
    if (this.#roomWaiters > 0 && project.idle) this.#room.notify();
    this.#settle(project);
  }

  #settle(project: Project): void {
    const { instance } = project;
    // What a drain has parked goes elsewhere with the project; else parked tasks are about to run here.
    const free = this.#rules.draining() ? project.quiescent : project.idle;
    if (instance === undefined || !free || !this.#ports.lease.held) return;
    const { view } = this.#ports;
    const dedicated = view.dedicatedOf(project.key);
    const placement = decidePlacement({
      role: this.#rules.role,
      draining: this.#rules.draining(),
      leased: instance.leases.length > 0,
      wanted: view.tierOf(project.key),
      serving: instance.tier,
      dedicated,
    });
    if (placement.type === 'stay') return;
    if (placement.type === 'reclass') void project.leave('tier', { tell: false });
    else void project.leave(placement.reason, { tell: true, to: placement.to });
  }

  /**
   * The ready runtime of a HOT project that is not here: it has just moved there, and not every gateway has heard. Activating it here would take
   * it back. One whose gateway cannot reach that runtime comes again, sent on or to take over.
   */
  #homeElsewhere({ header }: Caller): Target | undefined {
    const { project, takeover, sentOn } = header;
    const { view } = this.#ports;
    if (this.#rules.role !== 'shared' || sentOn === true || takeover !== undefined)
      return undefined;
    if (this.#projects.has(project) || view.tierOf(project) !== 'HOT') return undefined;
    const dedicated = view.dedicatedOf(project);
    return dedicated && { incarnation: dedicated.incarnation, address: dedicated.address };
  }

  #gone(project: Occupant): void {
    if (this.#projects.get(project.key) === project) this.#projects.delete(project.key);
    this.#inRoom.delete(project);
    this.#room.notify();
    this.#left.notify();
  }
}

function tenantOf(project: Occupant): string {
  return parseInstanceId(project.key)?.tenant ?? '';
}
