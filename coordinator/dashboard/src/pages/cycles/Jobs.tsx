import { Group, Select } from "@mantine/core";
import { Link, useSearchParams } from "react-router";
import { api, type Schema } from "../../api/client";
import { sentence } from "../../api/problem";
import { Empty } from "../../parts/Empty";
import { Instant } from "../../parts/Instant";
import { Loading } from "../../parts/Loading";
import { Panel } from "../../parts/Panel";
import { Refusal } from "../../parts/Refusal";
import { Rows, type Column } from "../../parts/Rows";
import { State } from "../../parts/State";
import { SystemFilter } from "../../parts/SystemFilter";

const states = ["open", "held", "queued", "waiting", "sent", "done", "failed", "dropped"] as const;
const kinds = ["create", "modify", "move", "enable", "disable", "membership", "password", "delete", "read", "find", "probe", "schema"];

const columns: Column<Schema["Job"]>[] = [
  { head: "Job", cell: (j) => <span className="num">{j.id}</span>, width: 80 },
  { head: "Class", cell: (j) => j.class, width: 110 },
  { head: "State", cell: (j) => <State of={j.state} />, width: 110 },
  { head: "Person", cell: (j) => (j.person ? <Link to={`/people/${encodeURIComponent(j.person)}`}>{j.display || j.person}</Link> : "") },
  { head: "What it does", cell: (j) => <What job={j} /> },
  { head: "System", cell: (j) => j.system, wide: true },
  { head: "When", cell: (j) => <Instant at={j.ended ?? j.sent ?? j.made} as="time" />, align: "right", width: 130 },
];

function What({ job: j }: { job: Schema["Job"] }) {
  return (
    <>
      {sentence(j.text)}
      {j.fault && <div style={{ color: "var(--mantine-color-dimmed)" }}>{sentence(j.fault.cause)} {j.fault.next_step}</div>}
    </>
  );
}

/** Operations from the moment that they are wanted, the latest first. */
export function Jobs() {
  const [query, setQuery] = useSearchParams();
  const system = query.get("system") ?? undefined;
  const kind = query.get("class") ?? undefined;
  const state = states.find((s) => s === query.get("state"));
  const job = Number(query.get("job")) || undefined;
  const q = { system, state, class: kind, before: job ? job + 1 : undefined, limit: job ? 1 : 100 };
  const { data, error, isPending } = api.useQuery("get", "/v1/jobs", { params: { query: q } });
  const set = (name: string, value: string | null) =>
    setQuery((old) => {
      old.delete("job");
      if (value) old.set(name, value);
      else old.delete(name);
      return old;
    }, { replace: true });
  return (
    <Panel flush>
      <Group p="sm" gap="sm">
        <SystemFilter value={system ?? null} onChange={(v) => set("system", v)} />
        <Select aria-label="State" placeholder="Every state" clearable data={[...states]} value={state ?? null} onChange={(v) => set("state", v)} w={150} />
        <Select aria-label="Class" placeholder="Every class" clearable data={kinds} value={kind ?? null} onChange={(v) => set("class", v)} w={150} />
      </Group>
      <Refusal error={error} />
      {isPending && <Loading />}
      {data && data.items.length > 0 && <Rows label="Jobs" columns={columns} rows={data.items} rowKey={(j) => j.id} />}
      {data?.items.length === 0 && <Empty title="No job matches" />}
    </Panel>
  );
}
