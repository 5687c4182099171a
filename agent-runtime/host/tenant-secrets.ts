/** The port of tenants' secrets. */

/** What the Secret of a tenant holds now, by key. Never throws. */
export type TenantSecrets = (tenant: string) => Readonly<Record<string, string>>;
