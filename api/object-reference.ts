/** Names of other Kubernetes objects in a manifest, in the namespace of the pool. Nothing here looks whether they exist. */
import { z } from 'zod';

const OBJECT_NAME = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/;
const KEY = /^[-._a-zA-Z0-9]+$/;

/** Of a Secret or ConfigMap. */
export function objectName(description: string): z.ZodString {
  return z
    .string()
    .min(1)
    .max(253)
    .regex(OBJECT_NAME, {
      error:
        'must be the name of a Kubernetes object: lower case letters, digits, - and ., first and last a letter or digit',
    })
    .describe(description);
}

/** A key of a Secret's or ConfigMap's data. */
export function dataKey(description: string, pattern = KEY, error = KEY_MESSAGE): z.ZodString {
  return z.string().min(1).max(253).regex(pattern, { error }).describe(description);
}

const KEY_MESSAGE = 'must be a key of the object: letters, digits, -, _ and .';
