/** Figures for reading. */
export const mega = (value: number): string => `${(value / 1e6).toFixed(2)} M`;
/** Counts of operations: billions, or millions of small ones. */
export const giga = (value: number): string => (value < 1e9 ? mega(value) : `${(value / 1e9).toFixed(2)} G`);
/** A share of a whole in whole percent; nothing where there is none. */
export const share = (value: number | null): string => (value === null ? "" : `${Math.round(100 * value)} %`);

/** A figure with two digits behind the point, in the unit it has; a dash where there is none. */
export function figure(value: number | null | undefined): string {
  return value === null || value === undefined || !Number.isFinite(value) ? "-" : value.toFixed(2);
}

/** The first few of many names, in one sentence's part. */
export function firstFew(names: readonly string[], count = 4): string {
  return names.slice(0, count).join(", ") + (names.length > count ? ` and ${names.length - count} more` : "");
}

export function memory(bytes: number): string {
  return bytes < 2 ** 30 ? `${(bytes / 2 ** 20).toFixed(0)} MiB` : `${(bytes / 2 ** 30).toFixed(2)} GiB`;
}

/** By how much a figure is above the least it could be: `+4 %`. */
export const above = (value: number, least: number): string => `+${Math.round(100 * (value / least - 1))} %`;

/** Milliseconds with three digits that count. */
export function milliseconds(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(value >= 1 ? 2 : 3);
}
