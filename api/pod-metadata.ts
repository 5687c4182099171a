/** Labels and annotations that users lay over the pods of runtimes: what an API server would refuse in a pod is refused here, and so is what is ours. */
import { z } from 'zod';
import { type Rule, withRules } from './rules.ts';

/** Of all pods of runtimes, as Kubernetes recommends them: pods are found by them, and let in by network policies. */
export const POD_LABELS = {
  name: 'app.kubernetes.io/name',
  instance: 'app.kubernetes.io/instance',
  component: 'app.kubernetes.io/component',
  managedBy: 'app.kubernetes.io/managed-by',
} as const;

/** Labels and annotations that start like this are the operator's. */
const OWN_PREFIX = 'agentpool.dev/';
const MARKS_MAX = 64;
const PREFIX_CHARACTERS_MAX = 253;
const LABEL_VALUE_CHARACTERS_MAX = 63;
const ANNOTATION_VALUE_CHARACTERS_MAX = 65_536;

const NAME = '[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?';
const LABEL_VALUE = /^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/;

/** As an API server checks them: of annotations it takes a prefix in any case. */
const PREFIX_LETTERS = { labels: 'a-z0-9', annotations: 'A-Za-z0-9' } as const;

type Kind = keyof typeof PREFIX_LETTERS;
type Marks = Readonly<Record<string, string>>;

function keyPattern(kind: Kind): string {
  const letters = PREFIX_LETTERS[kind];
  const word = `[${letters}]([-${letters}]*[${letters}])?`;
  return `^(${word}([.]${word})*/)?${NAME}$`;
}

const KEY_SHAPE =
  'a name of at most 63 letters, digits, -, _ and ., first and last a letter or digit, with a DNS name and a / before it or without';

/** Asked of each key by itself here, where the key can be named, and of all at once by an API server. */
function keyRules(kind: Kind): readonly Rule<Marks>[] {
  const pattern = keyPattern(kind);
  const isKey = keyCheck(kind);
  return [
    {
      cel: `self.all(key, key.matches('${pattern}') && key.indexOf('/') <= ${PREFIX_CHARACTERS_MAX})`,
      message: `keys of ${kind} must be ${KEY_SHAPE}; correct them`,
      field: [],
      holds: (self) => Object.keys(self).every(isKey),
    },
    {
      cel: `self.all(key, !key.startsWith('${OWN_PREFIX}'))`,
      message: `${kind} must not start with ${OWN_PREFIX}, these are the operator's; rename them`,
      field: [],
      holds: (self) => Object.keys(self).every((key) => !key.startsWith(OWN_PREFIX)),
    },
    {
      cel: `size(self) <= ${MARKS_MAX}`,
      message: `at most ${MARKS_MAX} ${kind} are allowed; remove some`,
      field: [],
      holds: (self) => Object.keys(self).length <= MARKS_MAX,
    },
  ];
}

function keyCheck(kind: Kind): (key: string) => boolean {
  const pattern = new RegExp(keyPattern(kind));
  return (key) => pattern.test(key) && key.indexOf('/') <= PREFIX_CHARACTERS_MAX;
}

const taken = Object.values(POD_LABELS);

/** Ours are not laid over those of users in silence: a pool that asks for another one is told. */
const notOurs: Rule<Marks> = {
  cel: `[${taken.map((label) => `'${label}'`).join(', ')}].all(label, !(label in self))`,
  message: `${taken.join(', ')} are set by the operator, which finds pods by them; leave them out`,
  field: [],
  holds: (self) => taken.every((label) => !Object.hasOwn(self, label)),
};

function marks<Value extends z.ZodString>(kind: Kind, value: Value, rules: readonly Rule<Marks>[]) {
  const key = z.string().refine(keyCheck(kind), { error: `must be ${KEY_SHAPE}` });
  return withRules(z.record(key, value).meta({ maxProperties: MARKS_MAX }), rules);
}

const labelValue = z.string().max(LABEL_VALUE_CHARACTERS_MAX).regex(LABEL_VALUE, {
  error:
    'must be the value of a label: letters, digits, -, _ and ., first and last a letter or digit',
});

export const podMetadata = z.strictObject({
  labels: marks('labels', labelValue, [...keyRules('labels'), notOurs])
    .exactOptional()
    .describe(
      'Added to the labels of the pods. Not those of the operator: app.kubernetes.io/name, instance, component and managed-by, and agentpool.dev/….',
    ),
  annotations: marks(
    'annotations',
    z.string().max(ANNOTATION_VALUE_CHARACTERS_MAX),
    keyRules('annotations'),
  )
    .exactOptional()
    .describe('Added to the annotations of the pods. Not agentpool.dev/….'),
});
