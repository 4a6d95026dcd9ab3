import { BarChart } from "@mantine/charts";
import { Group, SegmentedControl, Text } from "@mantine/core";
import { useState } from "react";
import { api, type Schema } from "../../api/client";
import { count } from "../../api/format";
import { Empty } from "../../parts/Empty";
import { Loading } from "../../parts/Loading";
import { Panel } from "../../parts/Panel";
import { Refusal } from "../../parts/Refusal";
import { axisLabel, fold } from "./plot";

const series = [
  { name: "create", color: "var(--plot-1)" },
  { name: "modify", color: "var(--plot-2)" },
  { name: "membership", color: "var(--plot-3)" },
  { name: "move", color: "var(--plot-4)" },
  { name: "enable", color: "var(--plot-5)" },
  { name: "disable", color: "var(--plot-6)" },
  { name: "delete", color: "var(--plot-7)" },
  { name: "failed", color: "var(--bad)" },
];
type Span = "hour" | "day" | "week" | "month";

/** How many changes there were, by class. */
export function ChangesPlot({ today }: { today: Schema["ChangeCount"][] }) {
  const [span, setSpan] = useState<Span>("day");
  const { data, error } = api.useQuery("get", "/v1/series/changes", { params: { query: { span } } });
  const bars = data ? fold(data.spans ?? [], 48) : [];
  const shown = series.filter((s) => bars.some((b) => b.counts[s.name]));
  const sum = today.filter((t) => t.outcome === "done").reduce((n, t) => n + t.n, 0);
  return (
    <Panel title="Changes" actions={<SpanChoice value={span} onChange={setSpan} label="Span of the changes" />}>
      <Refusal error={error} />
      {!data && !error && <Loading rows={5} />}
      {data && shown.length === 0 && <Empty title="No change in this time">When something differs from what it should be, it is changed and counted here.</Empty>}
      {shown.length > 0 && (
        <>
          <BarChart
            h={200} data={bars.map((b) => ({ at: axisLabel(b.at, span), ...b.counts }))} dataKey="at" type="stacked" series={shown} maxBarWidth={18}
            gridColor="var(--line)" textColor="var(--mantine-color-dimmed)" tickLine="none" barProps={{ isAnimationActive: false }} xAxisProps={{ minTickGap: 40 }}
            valueFormatter={(n) => count(n)} role="img" aria-label="Changes over time, by class"
          />
          <Group gap="md" mt="xs">
            {shown.map((s) => (
              <Text key={s.name} fz="xs" c="dimmed" component="span">
                <svg width="8" height="8" aria-hidden="true" style={{ marginRight: 6 }}><rect width="8" height="8" rx="2" fill={s.color} /></svg>
                {s.name} {count(bars.reduce((n, b) => n + (b.counts[s.name] ?? 0), 0))}
              </Text>
            ))}
            <Text fz="xs" c="dimmed" ml="auto">
              {count(sum)} today
            </Text>
          </Group>
        </>
      )}
    </Panel>
  );
}

export function SpanChoice({ value, onChange, label }: { value: Span; onChange: (s: Span) => void; label: string }) {
  return (
    <SegmentedControl
      aria-label={label} value={value} onChange={(v) => onChange(v as Span)}
      data={[{ value: "hour", label: "Hour" }, { value: "day", label: "Day" }, { value: "week", label: "Week" }, { value: "month", label: "Month" }]}
    />
  );
}
