/** Chance as an argument: the only file of the product that rolls dice. */
import { randomBytes } from 'node:crypto';

export interface Random {
  /** At least 0, below 1. */
  float(): number;
  /** 128 random bits as 22 characters of base64url: claim ids, request ids, incarnations. Cryptographically strong in production. */
  id(): string;
}

export const systemRandom: Random = {
  float: () => randomBytes(6).readUIntBE(0, 6) / 2 ** 48,
  id: () => randomBytes(16).toString('base64url'),
};
