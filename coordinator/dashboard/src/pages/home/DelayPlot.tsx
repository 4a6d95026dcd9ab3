import { LineChart } from "@mantine/charts";
import { Group, Text } from "@mantine/core";
import { useState } from "react";
import { api } from "../../api/client";
import { span as duration } from "../../api/format";
import { Empty } from "../../parts/Empty";
import { Loading } from "../../parts/Loading";
import { Panel } from "../../parts/Panel";
import { Refusal } from "../../parts/Refusal";
import { SpanChoice } from "./ChangesPlot";
import { axisLabel } from "./plot";

const series = [
  { name: "median", label: "median", color: "var(--plot-1)" },
  { name: "p95", label: "95 of 100", color: "var(--plot-3)" },
];

/** How long a change of a source took to the directory. */
export function DelayPlot() {
  const [span, setSpan] = useState<"hour" | "day" | "week" | "month">("day");
  const { data, error } = api.useQuery("get", "/v1/series/delay", { params: { query: { span } } });
  const spans = data?.spans ?? [];
  return (
    <Panel title="From HR to the directory" actions={<SpanChoice value={span} onChange={setSpan} label="Span of the delay" />}>
      <Refusal error={error} />
      {!data && !error && <Loading rows={5} />}
      {data && spans.length === 0 && <Empty title="Nothing was measured in this time">The time from a change in HR until it is written is shown here.</Empty>}
      {spans.length > 0 && (
        <>
          <LineChart
            h={200} data={spans.map((s) => ({ at: axisLabel(new Date(s.at), span), median: s.median, p95: s.p95 }))} dataKey="at" series={series} curveType="linear"
            gridColor="var(--line)" textColor="var(--mantine-color-dimmed)" tickLine="none" valueFormatter={(s) => duration(s * 1000)} strokeWidth={2}
            dotProps={{ r: 3 }} lineProps={{ isAnimationActive: false }} xAxisProps={{ minTickGap: 40 }} yAxisProps={{ padding: { top: 8 } }} role="img" aria-label="Seconds from HR to the directory over time"
          />
          <Group gap="md" mt="xs">
            {series.map((s) => (
              <Text key={s.name} fz="xs" c="dimmed" component="span">
                <svg width="8" height="8" aria-hidden="true" style={{ marginRight: 6 }}><rect width="8" height="8" rx="2" fill={s.color} /></svg>
                {s.label}
              </Text>
            ))}
          </Group>
        </>
      )}
    </Panel>
  );
}
