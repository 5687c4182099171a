/** What stands for a text of a ConfigMap where only its changes matter. */
import { createHash } from 'node:crypto';

export function textDigest(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}
