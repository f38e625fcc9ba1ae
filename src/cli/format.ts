// Figures and tables for people.

const THOUSAND = 1000;
const UNITS = ["kB", "MB", "GB", "TB", "PB"];
const SECOND_MS = 1000;
const MINUTE_S = 60;
const HOUR_S = 3600;
const DAY_S = 86_400;

/** 1234567 as "1,234,567". */
export function count(value: bigint | number): string {
  return value.toString().replaceAll(/\B(?=(\d{3})+$)/g, ",");
}

/** A size in decimal units: "512 B", "1.50 MB". */
export function size(lengthBytes: bigint | number): string {
  let value = Number(lengthBytes);
  if (value < THOUSAND) {
    return `${Math.round(value)} B`;
  }
  let unit = -1;
  do {
    value /= THOUSAND;
    unit += 1;
  } while (value >= THOUSAND && unit < UNITS.length - 1);
  return `${value.toPrecision(3)} ${UNITS[unit]}`;
}

/** A stretch of time: "3.2 s", "4 min 5 s", "2 d 3 h". */
export function duration(ms: number): string {
  const seconds = ms / SECOND_MS;
  if (seconds < MINUTE_S) {
    return seconds < 10 ? `${seconds.toFixed(1)} s` : `${Math.floor(seconds)} s`;
  }
  if (seconds < HOUR_S) {
    return `${Math.floor(seconds / MINUTE_S)} min ${Math.floor(seconds % MINUTE_S)} s`;
  }
  if (seconds < DAY_S) {
    return `${Math.floor(seconds / HOUR_S)} h ${Math.floor((seconds % HOUR_S) / MINUTE_S)} min`;
  }
  return `${Math.floor(seconds / DAY_S)} d ${Math.floor((seconds % DAY_S) / HOUR_S)} h`;
}

export interface Column {
  readonly title: string;
  /** Numbers stand right. */
  readonly right?: boolean;
}

/** Aligned columns under their titles, two spaces between, no trailing blanks; ends with a newline. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const widths = columns.map((column, index) => Math.max(column.title.length, ...rows.map((row) => row[index]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    columns
      .map((column, index) => {
        const cell = cells[index] ?? "";
        const width = widths[index] ?? 0;
        return column.right === true ? cell.padStart(width) : cell.padEnd(width);
      })
      .join("  ")
      .trimEnd();
  return `${[columns.map((column) => column.title), ...rows].map(line).join("\n")}\n`;
}

/** Names and values, one pair a line, the values aligned. */
export function pairs(entries: readonly (readonly [string, string])[]): string {
  const width = Math.max(...entries.map(([name]) => name.length));
  return entries.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join("");
}
