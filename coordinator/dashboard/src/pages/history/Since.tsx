import { Select } from "@mantine/core";

const spans = [
  { value: "1", label: "Last hour", hours: 1 },
  { value: "24", label: "Last 24 hours", hours: 24 },
  { value: "168", label: "Last week", hours: 168 },
  { value: "720", label: "Last 30 days", hours: 720 },
];

/** The instant that a choice reaches back to, to the minute, so that it stays the same for a while. */
export function sinceOf(value: string | undefined) {
  const hours = spans.find((s) => s.value === value)?.hours;
  return hours ? new Date(Math.floor(Date.now() / 60_000) * 60_000 - hours * 3_600_000).toISOString() : undefined;
}

/** How far back to look. */
export function Since({ value, onChange }: { value: string | null; onChange: (v: string | null) => void }) {
  return <Select aria-label="Since when" placeholder="All the time" clearable data={spans.map(({ value, label }) => ({ value, label }))} value={value} onChange={onChange} w={150} />;
}
