import type { Schema } from "../../api/client";

export interface Bar {
  at: Date;
  counts: Record<string, number>;
}

/** Adds neighbouring spans up, so that there are no more bars than can be told apart. */
export function fold(spans: Schema["ChangeSpan"][], most: number): Bar[] {
  const each = Math.max(1, Math.ceil(spans.length / most));
  const bars: Bar[] = [];
  spans.forEach((span, i) => {
    if (i % each === 0) bars.push({ at: new Date(span.at), counts: {} });
    const counts = bars[bars.length - 1]?.counts;
    for (const c of span.counts ?? []) if (counts) counts[c.name] = (counts[c.name] ?? 0) + c.n;
  });
  return bars;
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const dayClock = new Intl.DateTimeFormat(undefined, { weekday: "short", hour: "2-digit", minute: "2-digit" });

export function axisLabel(at: Date, span: string) {
  if (span === "hour" || span === "day") return clock.format(at);
  return span === "week" ? dayClock.format(at) : day.format(at);
}
