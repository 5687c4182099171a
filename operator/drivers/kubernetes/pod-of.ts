/** The pod of a runtime, from what is asked for. Pure; what users lay over it comes last, and cannot reach what is fixed. */
import type { AgentPoolSpec } from '../../../api/agent-pool.ts';
import { API_VERSION, KIND } from '../../../api/agent-pool.ts';
import { LABELS } from '../../../api/names.ts';
import { POD_LABELS } from '../../../api/pod-metadata.ts';
import {
  OWN_VOLUME_PREFIX,
  RUNTIME_CONTAINER,
  TENANTS_MARKED_FILE,
} from '../../../api/pod-template.ts';
import type { PoolRef } from '../../../core/identifiers.ts';
import type { Pod } from '../../../platform/kube/resources.ts';
import type { LogLevel } from '../../../platform/log.ts';
import type { RuntimeRequest, RuntimeTemplate } from '../../pool/driver.ts';
import type { ModuleArtifact } from '../../pool/wanted-pool.ts';
import { copyName } from './copy-name.ts';
import { type JsonObject, overlay } from './overlay.ts';
import { classAnnotations, resourcesOf } from './pod-resources.ts';
import { MODULE_FOLDER } from '../../pool/module-path.ts';
import { MANAGED } from './own-pod.ts';
import { TENANT_SHARDS } from './tenant-shards.ts';
import { spreadOf } from './spread-of.ts';

/** The pool as an object of the API: the controller of its pods. */
export interface PoolOwner extends PoolRef {
  readonly uid: string;
  /** It is being deleted: nothing more is made for it, nothing more becomes its own. */
  readonly isGoing?: boolean;
}

export const PORTS = { link: 50_051, probes: 50_052, metrics: 9_464 } as const;

const RUNTIME_FOLDER = '/etc/agentpool/runtime';
const TENANTS_FOLDER = '/etc/agentpool/tenants';
const WRITABLE_FOLDER = '/run/agentpool';
const USER_ID = 65_532;
/** On top of limits.taskTimeoutSeconds: time to commit and release. */
const GRACE_SECONDS = 15;
const PROBE_SECONDS = 10;
/** Of one that answers no probe: it does not hear that it is to end either, and would be waited for as long as for its longest task. */
const UNRESPONSIVE_GRACE_SECONDS = 5;

/** An emptyDir, or a controller that cluster-autoscaler does not know, would keep a node for ever. Budgets hold for it all the same. */
const MAY_BE_EVICTED = { 'cluster-autoscaler.kubernetes.io/safe-to-evict': 'true' };

const RUNTIME_VOLUME = `${OWN_VOLUME_PREFIX}runtime`;
const TENANTS_VOLUME = `${OWN_VOLUME_PREFIX}tenants`;
const WORK_VOLUME = `${OWN_VOLUME_PREFIX}work`;
export const MODULE_VOLUME = `${OWN_VOLUME_PREFIX}module`;

export const POOL_SECRET_SUFFIX = '-agentpool-runtime';

/** Of the Secrets with what the tenants' Secrets hold: the first has the name that pods of earlier operators mount, as the only one. */
export function tenantsSuffix(shard: number): string {
  return shard === 0 ? '-agentpool-tenants' : `-agentpool-tenants-${shard}`;
}

/** Of the installation, for all pools. */
export interface PodDefaults {
  /** Of the runtimes' own log: no part of a revision, so pods that are there keep theirs. */
  readonly logLevel?: LogLevel;
}

/** With the image that counts. */
type Given = PodDefaults & { readonly image: string };

/** Throws when no image is known; the message is for the author of the manifest. */
export function podOf(request: RuntimeRequest, owner: PoolOwner, defaults: PodDefaults): Pod {
  const { spec } = request.template;
  const { podTemplate } = spec.runtime;
  const tier = request.role === 'shared' ? spec.tiers.warm : spec.tiers.hot;
  const pod = [podTemplate, tier.podTemplate].reduce<JsonObject>(
    (under, over) => overlay(under, over as JsonObject),
    basePod(request, owner, { ...defaults, image: imageOf(request.template) }),
  );
  return pod;
}

/** That of its revision: the installation may have another one by now. */
function imageOf({ spec, module }: RuntimeTemplate): string {
  const image = module.image ?? spec.runtime.image;
  if (image === undefined) throw new Error('spec.runtime.image is required in a cluster');
  return image;
}

function basePod(request: RuntimeRequest, owner: PoolOwner, given: Given): JsonObject {
  const { name, role, template, resources } = request;
  const { spec } = template;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: owner.namespace,
      labels: labelsOf(request, owner),
      annotations: { ...classAnnotations(resources), ...MAY_BE_EVICTED },
      ownerReferences: [ownerReference(owner)],
    },
    spec: {
      restartPolicy: role === 'shared' ? 'Always' : 'Never',
      terminationGracePeriodSeconds: graceSecondsOf(spec),
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      ...spreadOf(request, owner),
      securityContext: {
        runAsNonRoot: true,
        runAsUser: USER_ID,
        runAsGroup: USER_ID,
        fsGroup: USER_ID,
        seccompProfile: { type: 'RuntimeDefault' },
      },
      containers: [containerOf(request, owner, given)],
      volumes: volumesOf(template.module, owner),
    },
  };
}

/** It stays that of the pod, whatever the limit becomes. */
function graceSecondsOf({ limits }: AgentPoolSpec): number {
  return limits.taskTimeoutSeconds + GRACE_SECONDS;
}

export function ownerReference({ name, uid }: PoolOwner) {
  return {
    apiVersion: API_VERSION,
    kind: KIND,
    name,
    uid,
    controller: true,
    blockOwnerDeletion: true,
  };
}

/** Selects all runtimes of a pool, by role if it is said. */
export function labelsOf(
  { role, template }: Pick<RuntimeRequest, 'role' | 'template'>,
  { name }: PoolRef,
): JsonObject {
  return {
    [LABELS.pool]: name,
    [LABELS.role]: role,
    [LABELS.revision]: template.revision,
    ...(role === 'dedicated' ? { [LABELS.tier]: 'HOT' } : {}),
    [POD_LABELS.name]: 'agentpool-runtime',
    [POD_LABELS.instance]: name,
    [POD_LABELS.component]: 'runtime',
    ...MANAGED,
  };
}

function containerOf(
  request: RuntimeRequest,
  owner: PoolOwner,
  { image, logLevel }: Given,
): JsonObject {
  const { spec } = request.template;
  const { imagePullPolicy } = spec.runtime;
  const { mounted } = request.template.module;
  const mount = (volume: string, mountPath: string, readOnly = true): JsonObject => ({
    name: volume,
    mountPath,
    ...(readOnly ? { readOnly } : {}),
  });
  return {
    name: RUNTIME_CONTAINER,
    image,
    ...(imagePullPolicy === undefined ? {} : { imagePullPolicy }),
    env: [
      ...(spec.runtime.env as readonly JsonObject[]),
      ...ownVariables(request, owner, logLevel),
    ],
    envFrom: spec.runtime.envFrom,
    ports: [
      { name: 'link', containerPort: PORTS.link, protocol: 'TCP' },
      { name: 'probes', containerPort: PORTS.probes, protocol: 'TCP' },
      { name: 'metrics', containerPort: PORTS.metrics, protocol: 'TCP' },
    ],
    resources: resourcesOf(request),
    ...probesOf(spec),
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'FallbackToLogsOnError',
    volumeMounts: [
      mount(RUNTIME_VOLUME, RUNTIME_FOLDER),
      mount(TENANTS_VOLUME, TENANTS_FOLDER),
      mount(WORK_VOLUME, WRITABLE_FOLDER, false),
      ...(mounted === undefined ? [] : [mount(MODULE_VOLUME, MODULE_FOLDER)]),
    ],
  };
}

/** What a runtime is told of itself; everything secret is in files. */
function ownVariables(
  { role, template }: RuntimeRequest,
  { namespace, name }: PoolOwner,
  logLevel: LogLevel | undefined,
): readonly JsonObject[] {
  const field = (fieldPath: string): JsonObject => ({
    fieldRef: { apiVersion: 'v1', fieldPath },
  });
  return [
    { name: 'AGENTPOOL_NAMESPACE', value: namespace },
    { name: 'AGENTPOOL_POOL', value: name },
    { name: 'AGENTPOOL_ROLE', value: role },
    { name: 'AGENTPOOL_REVISION', value: template.revision },
    { name: 'AGENTPOOL_MODULE', value: template.module.path },
    { name: 'AGENTPOOL_GRACE_SECONDS', value: String(graceSecondsOf(template.spec)) },
    { name: 'AGENTPOOL_RUNTIME', valueFrom: field('metadata.name') },
    { name: 'AGENTPOOL_POD_IP', valueFrom: field('status.podIP') },
    ...(logLevel === undefined ? [] : [{ name: 'AGENTPOOL_LOG_LEVEL', value: logLevel }]),
  ];
}

/** The kubelet asks in plain text on a port of its own, where nothing else answers. */
function probesOf({ health }: AgentPoolSpec): JsonObject {
  const grpc = (service: string): JsonObject => ({ grpc: { port: PORTS.probes, service } });
  const alive: JsonObject = {
    ...grpc('liveness'),
    terminationGracePeriodSeconds: UNRESPONSIVE_GRACE_SECONDS,
  };
  return {
    // Bundling and importing a large module takes its time: nothing is restarted for that.
    startupProbe: {
      ...alive,
      periodSeconds: 1,
      timeoutSeconds: 2,
      failureThreshold: health.initializeTimeoutSeconds + PROBE_SECONDS,
    },
    livenessProbe: {
      ...alive,
      periodSeconds: PROBE_SECONDS,
      timeoutSeconds: 5,
      failureThreshold: 3,
    },
    readinessProbe: {
      ...grpc('readiness'),
      periodSeconds: 5,
      timeoutSeconds: 2,
      failureThreshold: 2,
    },
  };
}

function volumesOf({ mounted }: ModuleArtifact, { name }: PoolOwner): readonly JsonObject[] {
  const module: JsonObject[] =
    mounted === undefined
      ? []
      : [
          {
            name: MODULE_VOLUME,
            // A copy that never changes: pods of this revision that start again are what they were.
            configMap: {
              name: copyName(name, mounted),
              items: [{ key: mounted.key, path: mounted.key }],
            },
          },
        ];
  return [
    {
      name: RUNTIME_VOLUME,
      secret: { secretName: `${name}${POOL_SECRET_SUFFIX}`, defaultMode: 0o440 },
    },
    tenantsVolume(name),
    { name: WORK_VOLUME, emptyDir: { sizeLimit: '256Mi' } },
    ...module,
  ];
}

/** One folder of all: tenants come and go while pods live, and so do the Secrets that they share. */
function tenantsVolume(name: string): JsonObject {
  const shards = Array.from({ length: TENANT_SHARDS }, (_, shard) => ({
    secret: { name: `${name}${tenantsSuffix(shard)}`, optional: true },
  }));
  const fieldRef = { apiVersion: 'v1', fieldPath: 'metadata.name' };
  const marked = { downwardAPI: { items: [{ path: TENANTS_MARKED_FILE, fieldRef }] } };
  return {
    name: TENANTS_VOLUME,
    projected: { defaultMode: 0o440, sources: [...shards, marked] },
  };
}
