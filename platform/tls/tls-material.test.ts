/** Pairs and authorities that fit, and those that are told at once. */
import { beforeAll, expect, it } from '@jest/globals';
import {
  issueFor,
  makeAuthority,
  makeIntermediate,
  tlsFiles,
} from '../../test/builders/certificates.ts';
import type { KeyPairPem } from './issue-certificate.ts';
import { tlsMaterialOf } from './tls-material.ts';

const [ours, theirs] = [makeAuthority('same name'), makeAuthority('same name')];
let leaf: KeyPairPem;
let between: KeyPairPem;
let viaBetween: KeyPairPem;

beforeAll(async () => {
  leaf = await issueFor(ours, 'gateway.agentpool.dev');
  between = await makeIntermediate(ours);
  viaBetween = await issueFor(between, 'gateway.agentpool.dev');
});

const both = (...pems: readonly KeyPairPem[]): string =>
  pems.map(({ certificate }) => certificate).join('\n');

it.each<[string, () => Parameters<typeof tlsMaterialOf>[0]]>([
  ['without an authority', () => tlsFiles(leaf)],
  ['of its authority', () => tlsFiles(leaf, ours)],
  [
    'while one authority takes the place of another',
    () => ({ ...tlsFiles(leaf), 'ca.crt': both(theirs, ours) }),
  ],
  [
    'by one between',
    () => ({ ...tlsFiles(viaBetween, ours), 'tls.crt': both(viaBetween, between) }),
  ],
  ['that is its own authority', () => tlsFiles(ours, ours)],
])('takes a certificate %s', (_which, files) => {
  expect(() => tlsMaterialOf(files())).not.toThrow();
});

const FOREIGN = /tls\.crt is not of an authority in ca\.crt/;

it.each<[string, () => Parameters<typeof tlsMaterialOf>[0], RegExp]>([
  ['of another authority of the same name', () => tlsFiles(leaf, theirs), FOREIGN],
  ['that lacks the one between', () => tlsFiles(viaBetween, ours), FOREIGN],
  [
    'with the key of another',
    () => ({ ...tlsFiles(leaf, ours), 'tls.key': ours.key }),
    /not the key/,
  ],
  ['with an authority that is none', () => ({ ...tlsFiles(leaf), 'ca.crt': 'x' }), /ca\.crt holds/],
])('refuses a certificate %s', (_which, files, message) => {
  expect(() => tlsMaterialOf(files())).toThrow(message);
});
