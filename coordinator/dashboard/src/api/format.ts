// Numbers and instants as people read them, in the viewer's language and zone.
const numbers = new Intl.NumberFormat();
const exactly = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const dayAndClock = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const dateOnly = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });

export const count = (n: number | undefined) => numbers.format(n ?? 0);

/** "1 job", "3 jobs" */
export const counted = (n: number, one: string, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

/** The instant to the second with the zone's name, and in UTC. */
export const exact = (at: Date) => `${exactly.format(at)}\n${at.toISOString()}`;

export const timeOfDay = (at: Date) => clock.format(at);

/** Whether the API gave an instant: Go's zero is the year 1. */
export const isInstant = (at: string | undefined): at is string => !!at && !at.startsWith("0001-");

const steps: [limit: number, size: number, unit: string][] = [
  [60, 1, "s"],
  [3600, 60, "min"],
  [86400, 3600, "h"],
  [86400 * 14, 86400, "d"],
];

/** "now", "12 s ago", "in 4 min", and the day and time when that is far. */
export function relative(at: Date, now: number): string {
  const seconds = Math.round((at.getTime() - now) / 1000);
  const far = Math.abs(seconds);
  if (far < 3 || (seconds > 0 && far < 5)) return "now"; // the clocks of the two differ a little
  for (const [limit, size, unit] of steps) {
    if (far < limit) {
      const n = Math.floor(far / size);
      return seconds < 0 ? `${n} ${unit} ago` : `in ${n} ${unit}`;
    }
  }
  return dateOnly.format(at);
}

export const shortInstant = (at: Date, now: number) =>
  new Date(now).toDateString() === at.toDateString() ? clock.format(at) : dayAndClock.format(at);

/** "340 ms", "2.4 s", "3 min 20 s", "2 h 5 min" */
export function span(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const s = ms / 1000;
  if (s < 60) return `${s < 10 ? s.toFixed(1) : Math.round(s)} s`;
  const m = Math.floor(s / 60);
  if (m < 60) return `${m} min${s % 60 >= 1 ? ` ${Math.floor(s % 60)} s` : ""}`;
  return `${Math.floor(m / 60)} h${m % 60 ? ` ${m % 60} min` : ""}`;
}
