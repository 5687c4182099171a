/** manifests/crd and manifests/rbac: the resource for `kubectl apply`, and the operator's rights as the chart gives them by default. */
import { parse, stringify } from 'yaml';
import { customResourceDefinition } from '../../api/crd-schema.ts';

const WRITTEN = '# Written by npm run gen; do not edit.\n';
const RBAC = 'rbac.authorization.k8s.io';
const NAMESPACE = 'agentpool';
const OPERATOR = 'agentpool-operator';

export function crdManifest(): string {
  return WRITTEN + text(customResourceDefinition());
}

/** @param rules what the chart lets the operator do, as a YAML list with its reasons. */
export function operatorRbac(rules: string): string {
  const subjects = [{ kind: 'ServiceAccount', name: OPERATOR, namespace: NAMESPACE }];
  const role = `apiVersion: ${RBAC}/v1\nkind: ClusterRole\nmetadata: { name: ${OPERATOR} }\nrules:\n${indented(rules)}`;
  const others = [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } },
    {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: OPERATOR, namespace: NAMESPACE },
      automountServiceAccountToken: false,
    },
    {
      apiVersion: `${RBAC}/v1`,
      kind: 'ClusterRoleBinding',
      metadata: { name: OPERATOR },
      roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: OPERATOR },
      subjects,
    },
    {
      apiVersion: `${RBAC}/v1`,
      kind: 'Role',
      metadata: { name: OPERATOR, namespace: NAMESPACE },
      rules: [
        { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['create'] },
        {
          apiGroups: ['coordination.k8s.io'],
          resources: ['leases'],
          resourceNames: [OPERATOR],
          verbs: ['get', 'patch'],
        },
      ],
    },
    {
      apiVersion: `${RBAC}/v1`,
      kind: 'RoleBinding',
      metadata: { name: OPERATOR, namespace: NAMESPACE },
      roleRef: { apiGroup: RBAC, kind: 'Role', name: OPERATOR },
      subjects,
    },
  ];
  return WRITTEN + [role, ...others.map(text)].join('---\n');
}

interface AggregatedRole {
  /** Built-in roles. */
  readonly into: readonly string[];
  readonly rules: readonly object[];
}

/**
 * Lets the built-in roles see (view) and change (edit, admin) AgentPools.
 *
 * @param roles as the chart has them, YAML: name → AggregatedRole.
 */
export function aggregatedRoles(roles: string): string {
  const byName = parse(roles) as Readonly<Record<string, AggregatedRole>>;
  const objects = Object.entries(byName).map(([name, { into, rules }]) => ({
    apiVersion: `${RBAC}/v1`,
    kind: 'ClusterRole',
    metadata: {
      name: `agentpool-${name}`,
      labels: Object.fromEntries(into.map((built) => [`${RBAC}/aggregate-to-${built}`, 'true'])),
    },
    rules,
  }));
  return WRITTEN + objects.map(text).join('---\n');
}

/** No anchors, and no line that is broken where a reader would look for it. */
function text(object: object): string {
  return stringify(object, { aliasDuplicateObjects: false, lineWidth: 0, singleQuote: true });
}

function indented(lines: string): string {
  return lines.replaceAll(/^(?=.)/gm, '  ');
}
