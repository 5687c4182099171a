/** Chance as an argument: the only file of the product that rolls dice. */
export interface Random {
  /** At least 0, below 1. */
  float(): number;
  /** 128 random bits as 22 characters of base64url: claim ids, request ids, incarnations. Cryptographically strong in production. */
  id(): string;
}

// Loaded when first asked for: it costs each worker thread 0.7 MB, and few agents need chance.
const randomBytes = (bytes: number): Buffer =>
  process.getBuiltinModule('node:crypto').randomBytes(bytes);

export const systemRandom: Random = {
  float: () => randomBytes(6).readUIntBE(0, 6) / 2 ** 48,
  id: () => randomBytes(16).toString('base64url'),
};
