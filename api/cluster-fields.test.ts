import { describe, expect, it } from '@jest/globals';
import { spec } from '../test/builders/pool-builders.ts';
import { clusterFieldsOf, plainVariables } from './cluster-fields.ts';

const VALUE_FROM = { fieldRef: { fieldPath: 'metadata.name' } };

describe('fields for pods only', () => {
  it('are none where nothing is written', () => {
    expect(clusterFieldsOf(spec())).toEqual([]);
  });

  it('are named where they are written', () => {
    const written = spec({
      runtime: {
        image: 'agents:1',
        imagePullPolicy: 'Always',
        env: [{ name: 'A', valueFrom: VALUE_FROM }, { name: 'B', value: 'b' }, { name: 'C' }],
        envFrom: [{ secretRef: { name: 's' } }],
        podTemplate: { spec: { nodeSelector: {} } },
      },
      tiers: { hot: { podTemplate: { metadata: {} } } },
      tenants: [{ name: 'acme', secretRef: { name: 's' } }, { name: 'other' }],
    });
    expect(clusterFieldsOf(written)).toEqual([
      'spec.runtime.image',
      'spec.runtime.imagePullPolicy',
      'spec.runtime.env[A].valueFrom',
      'spec.runtime.envFrom',
      'spec.runtime.podTemplate',
      'spec.tiers.hot.podTemplate',
      'spec.tenants[acme].secretRef',
    ]);
    expect(plainVariables(written)).toEqual([
      { name: 'B', value: 'b' },
      { name: 'C', value: '' },
    ]);
  });
});
