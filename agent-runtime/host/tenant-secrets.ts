/** The port of tenants' secrets. */

/** What the Secret of a tenant holds now, by key; undefined: that has not come yet. Never throws. */
export type TenantSecrets = (tenant: string) => Readonly<Record<string, string>> | undefined;
