import { Badge, Button, CloseButton, Group, Select } from "@mantine/core";
import { Link } from "react-router";
import { http, type Schema } from "../../api/client";
import { sentence } from "../../api/problem";
import { Empty } from "../../parts/Empty";
import { Export } from "../../parts/Export";
import { useFilters } from "../../parts/filters";
import { Instant } from "../../parts/Instant";
import { Loading } from "../../parts/Loading";
import { More } from "../../parts/More";
import { usePages } from "../../parts/pages";
import { Panel } from "../../parts/Panel";
import { Refusal } from "../../parts/Refusal";
import { Rows, type Column } from "../../parts/Rows";
import { State } from "../../parts/State";
import { JobDrawer } from "./JobDetail";
import { SystemFilter } from "../../parts/SystemFilter";

const states = ["open", "held", "queued", "waiting", "sent", "done", "failed", "dropped"] as const;
const kinds = ["create", "modify", "move", "enable", "disable", "membership", "password", "delete", "read", "find", "probe", "schema"];

const columns = (open: (id: number) => void): Column<Schema["Job"]>[] => [
  { head: "Job", cell: (j) => <Button variant="subtle" size="compact-xs" ml={-8} onClick={() => open(j.id)} aria-label={`Job ${j.id}`}>{j.id}</Button>, width: 80 },
  { head: "Class", cell: (j) => j.class, width: 110 },
  { head: "State", cell: (j) => <State of={j.state} />, width: 110 },
  { head: "Person", cell: (j) => (j.person ? <Link to={`/people/${encodeURIComponent(j.person)}`}>{j.display || j.person}</Link> : ""), width: 200 },
  { head: "What it does", cell: (j) => <What job={j} /> },
  { head: "System", cell: (j) => <span style={{ whiteSpace: "nowrap" }}>{j.system}</span>, wide: true, width: 120 },
  { head: "When", cell: (j) => <Instant at={j.ended ?? j.sent ?? j.made} as="time" />, align: "right", width: 130 },
];

function What({ job: j }: { job: Schema["Job"] }) {
  return (
    <>
      {sentence(j.text)}
      {j.fault && <div style={{ color: "var(--mantine-color-dimmed)" }}>{sentence(j.fault.cause)}</div>}
    </>
  );
}

/** Operations from the moment that they are wanted, the latest first. */
export function Jobs() {
  const { get, set } = useFilters();
  const system = get("system");
  const kind = get("class");
  const state = states.find((s) => s === get("state"));
  const job = Number(get("job")) || undefined;
  const cycle = Number(get("cycle")) || undefined;
  const q = { system, state, class: kind, cycle, limit: 50 };
  const jobs = usePages(["/v1/jobs", q], (cursor, signal) => http.GET("/v1/jobs", { params: { query: { ...q, cursor } }, signal }));
  return (
    <Panel flush>
      <Group p="sm" gap="sm">
        <SystemFilter value={system ?? null} onChange={(v) => set("system", v)} />
        <Select aria-label="State" placeholder="Every state" clearable data={[...states]} value={state ?? null} onChange={(v) => set("state", v)} w={150} />
        <Select aria-label="Class" placeholder="Every class" clearable data={kinds} value={kind ?? null} onChange={(v) => set("class", v)} w={150} />
        {cycle && <Badge size="lg" rightSection={<CloseButton size="xs" aria-label="Of every cycle" onClick={() => set("cycle", null)} />}>of cycle {cycle}</Badge>}
        <div style={{ marginLeft: "auto" }}>
          <Export operation="export-jobs" path="/v1/jobs/export" query={{ system, state, class: kind, cycle: cycle?.toString() }} name="jobs" />
        </div>
      </Group>
      <Refusal error={jobs.error} />
      {jobs.isPending && <Loading />}
      {jobs.list.length > 0 && <Rows label="Jobs" columns={columns((id) => set("job", String(id)))} rows={jobs.list} rowKey={(j) => j.id} />}
      {jobs.isSuccess && jobs.list.length === 0 && !jobs.hasNextPage && <Empty title="No job matches">Choose another system, state or class, or clear the filters.</Empty>}
      <More of={jobs} label="Show earlier" />
      <JobDrawer id={job} close={() => set("job", null)} />
    </Panel>
  );
}
