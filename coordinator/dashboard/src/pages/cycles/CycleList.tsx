import { Group, Select } from "@mantine/core";
import { Link } from "react-router";
import { api, type Schema } from "../../api/client";
import { count } from "../../api/format";
import { Empty } from "../../parts/Empty";
import { useFilters } from "../../parts/filters";
import { Instant } from "../../parts/Instant";
import { Loading } from "../../parts/Loading";
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
  const { data, error, isPending } = api.useQuery("get", "/v1/cycles", { params: { query: { system, state, limit: 100 } } });
  return (
    <Panel flush>
      <Group p="sm" gap="sm">
        <SystemFilter value={system ?? null} onChange={(v) => set("system", v)} />
        <Select aria-label="State" placeholder="Every state" clearable data={[...states]} value={state ?? null} onChange={(v) => set("state", v)} w={150} />
      </Group>
      <Refusal error={error} />
      {isPending && <Loading />}
      {data && data.items.length > 0 && <Rows label="Cycles" columns={cycleColumns} rows={data.items} rowKey={(c) => c.id} linked />}
      {data?.items.length === 0 && <Empty title="No cycle matches">A system is read as soon as an agent serves it, and then by its schedule.</Empty>}
    </Panel>
  );
}
