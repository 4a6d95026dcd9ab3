import { Group, Select } from "@mantine/core";
import { Link } from "react-router";
import { http, type Schema } from "../../api/client";
import { count } from "../../api/format";
import { Empty } from "../../parts/Empty";
import { useFilters } from "../../parts/filters";
import { Instant } from "../../parts/Instant";
import { Loading } from "../../parts/Loading";
import { More } from "../../parts/More";
import { usePages } from "../../parts/pages";
import { Panel } from "../../parts/Panel";
import { Refusal } from "../../parts/Refusal";
import { Rows, type Column } from "../../parts/Rows";
import { State } from "../../parts/State";
import { SystemFilter } from "../../parts/SystemFilter";

const states = ["reading", "applied", "held", "failed", "rejected"] as const;

export const cycleColumns: Column<Schema["Cycle"]>[] = [
  { head: "Cycle", cell: (c) => <Link to={`/cycles/${c.id}`}>{c.id}</Link>, width: 90 },
  { head: "System", cell: (c) => c.system },
  { head: "State", cell: (c) => <State of={c.state} /> },
  { head: "Why", cell: (c) => c.cause },
  { head: "Began", cell: (c) => <Instant at={c.began} as="time" />, align: "right" },
  { head: "Seen", cell: (c) => count(c.seen), align: "right" },
  { head: "Changed", cell: (c) => count(c.changed), align: "right" },
  { head: "Gone", cell: (c) => count(c.deleted), align: "right" },
  { head: "Set aside", cell: (c) => count(c.rejected), align: "right", wide: true },
];

/** The reads of all systems, the latest first. */
export function CycleList() {
  const { get, set } = useFilters();
  const system = get("system");
  const state = states.find((s) => s === get("state"));
  const q = { system, state, limit: 50 };
  const cycles = usePages(["/v1/cycles", q], (cursor, signal) => http.GET("/v1/cycles", { params: { query: { ...q, cursor } }, signal }));
  return (
    <Panel flush>
      <Group p="sm" gap="sm">
        <SystemFilter value={system ?? null} onChange={(v) => set("system", v)} />
        <Select aria-label="State" placeholder="Every state" clearable data={[...states]} value={state ?? null} onChange={(v) => set("state", v)} w={150} />
      </Group>
      <Refusal error={cycles.error} />
      {cycles.isPending && <Loading />}
      {cycles.list.length > 0 && <Rows label="Cycles" columns={cycleColumns} rows={cycles.list} rowKey={(c) => c.id} linked />}
      <More of={cycles} label="Show earlier" />
      {cycles.isSuccess && cycles.list.length === 0 && <Empty title="No cycle matches">A system is read as soon as an agent serves it, and then by its schedule.</Empty>}
    </Panel>
  );
}
