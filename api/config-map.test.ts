import { describe, expect, it } from '@jest/globals';
import { joinManifests, parseManifests } from './parse-manifest.ts';

const CONFIG_MAP = `
apiVersion: v1
kind: ConfigMap
metadata: {name: agents, namespace: shop}
data: {agents.ts: 'export default {}', other: x}
`;
const pool = (over = ''): string => `
apiVersion: agentpool.dev/v1alpha1
kind: AgentPool
metadata: {name: main, namespace: shop}
spec: {runtime: {moduleFrom: {configMapRef: {name: agents, key: agents.ts}}}}
${over}`;

describe('a ConfigMap beside a pool', () => {
  it.each([
    ['before it', `${CONFIG_MAP}---${pool()}`],
    ['after it', `${pool()}---${CONFIG_MAP}`],
  ])('%s holds its agent module', (_name, text) => {
    expect(parseManifests(text, 'p.yaml')).toMatchObject({
      ok: true,
      pools: [{ pool: { metadata: { name: 'main' } }, moduleText: 'export default {}' }],
    });
  });

  it('holds it in another file, too', () => {
    const parts = [pool(), CONFIG_MAP].map((text, index) => parseManifests(text, `${index}.yaml`));
    expect(joinManifests(parts)).toMatchObject({ pools: [{ moduleText: 'export default {}' }] });
  });

  it.each([
    ['of another namespace', CONFIG_MAP.replace('shop', 'other')],
    ['of another name', CONFIG_MAP.replace('agents,', 'others,')],
    ['without the key', CONFIG_MAP.replace('agents.ts', 'agents.js')],
  ])('%s is not the one', (_name, configMap) => {
    const parsed = parseManifests(`${configMap}---${pool()}`, 'p.yaml');
    expect(parsed).toMatchObject({ ok: true, pools: [{ pool: {} }] });
    expect(parsed.ok && parsed.pools[0]).not.toHaveProperty('moduleText');
  });

  it('that is none is told to be no AgentPool', () => {
    expect(parseManifests(CONFIG_MAP.replace(': v1', ': v2'), 'p.yaml').ok).toBe(false);
  });
});
