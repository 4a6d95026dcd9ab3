import { Button, Group, Select, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { IconPlus, IconRouter } from "@tabler/icons-react";
import { Link, useSearchParams } from "react-router";
import { useState } from "react";
import { api, http, type Schema } from "../../api/client";
import { count } from "../../api/format";
import { Empty } from "../../parts/Empty";
import { Instant } from "../../parts/Instant";
import { Loading } from "../../parts/Loading";
import { Page } from "../../parts/Page";
import { More } from "../../parts/More";
import { usePages } from "../../parts/pages";
import { Panel } from "../../parts/Panel";
import { Refusal } from "../../parts/Refusal";
import { Rows, type Column } from "../../parts/Rows";
import { State } from "../../parts/State";
import { useFilters } from "../../parts/filters";
import { May } from "../../parts/May";
import { Enrol } from "./Enrol";

const columns: Column<Schema["Agent"]>[] = [
  { head: "Host", cell: (a) => <Link to={`/agents/${a.id}`}>{a.host}</Link> },
  { head: "State", cell: (a) => (a.approval?.state === "waiting" ? <State of="held">asks for approval</State> : <State of={a.state} />) },
  { head: "Site", cell: (a) => a.site },
  { head: "Since", cell: (a) => <Instant at={a.state === "connected" ? a.connected : a.seen} /> },
  { head: "Version", cell: (a) => <span title={a.version}>{a.version.replace(/-.*/, "")}</span> },
  { head: "Ring", cell: (a) => a.ring || <span style={{ color: "var(--calm)" }}>none</span> },
  { head: "Update", cell: (a) => (a.update ? <State of={a.update.state} tone={tones[a.update.state]}>{a.update.state}</State> : <span style={{ color: "var(--calm)" }}>off</span>) },
  { head: "Queue", cell: (a) => `${count(a.queue)} at work, ${count(a.site_queue)} waiting`, wide: true },
  { head: "Platform", cell: (a) => a.platform || "not told", wide: true },
  { head: "Guardrail", cell: (a) => <Guardrail of={a.guardrail} /> },
  { head: "Certificate ends", cell: (a) => <Instant at={a.cert_expires} />, align: "right", wide: true },
];

/** How each state of an update is to be taken. */
export const tones = { current: "good", held: "warn", refused: "warn", fetching: "busy", waiting: "busy", ready: "busy", trial: "busy", failed: "bad" } as const;

export function Guardrail({ of: g }: { of: Schema["Guardrail"] }) {
  if (!g.mode) return <>not told</>;
  return <State of={g.mode} tone={g.mode === "broken" ? "bad" : g.mode === "observe" ? "warn" : "good"}>{g.mode}</State>;
}

const states = [
  { value: "connected", label: "Connected" },
  { value: "away", label: "Away" },
  { value: "asking", label: "Asks for approval" },
  { value: "revoked", label: "Revoked" },
] as const;

/** The agents that match what is asked for; a site may have thousands. */
export default function Agents() {
  const { get, set } = useFilters();
  const [query, setQuery] = useSearchParams();
  const [text, setText] = useState(get("q") ?? "");
  const [asked] = useDebouncedValue(text.trim(), 200);
  const [ring] = useDebouncedValue(get("ring"), 200);
  const state = states.find((s) => s.value === get("state"))?.value;
  const sites = api.useQuery("get", "/v1/sites").data?.items.map((s) => s.name) ?? [];
  const filter = { site: get("site"), state, ring, q: asked || undefined };
  const agents = usePages(["/v1/agents", filter], (cursor, signal) => http.GET("/v1/agents", { params: { query: { ...filter, cursor, limit: 50 } }, signal }));
  const filtered = Object.values(filter).some(Boolean);
  const enrol = (
    <May operation="create-join-token">
      <Button leftSection={<IconPlus size={14} aria-hidden />} onClick={() => setQuery({ enrol: "1" })}>
        Enrol an agent
      </Button>
    </May>
  );
  return (
    <Page title="Agents" lead="They stand at your sites and do the work. Each dials out; nothing ever connects in." actions={enrol}>
      <Panel flush>
        <Group p="sm" gap="sm">
          <TextInput aria-label="Host" placeholder="Host" value={text} onChange={(e) => setText(e.currentTarget.value)} w={180} />
          <Select aria-label="Site" placeholder="Every site" clearable searchable limit={50} data={sites} value={get("site") ?? null} onChange={(v) => set("site", v)} w={150} />
          <Select aria-label="State" placeholder="Every state" clearable data={[...states]} value={state ?? null} onChange={(v) => set("state", v)} w={150} />
          <TextInput aria-label="Ring" placeholder="Ring" value={get("ring") ?? ""} onChange={(e) => set("ring", e.currentTarget.value)} w={120} />
        </Group>
        <Refusal error={agents.error} onRetry={() => void agents.refetch()} />
        {agents.isPending && <Loading />}
        {agents.list.length > 0 && <Rows label="Agents" columns={columns} rows={agents.list} rowKey={(a) => a.id} linked />}
        <More of={agents} eager />
        {agents.isSuccess && agents.list.length === 0 && <None filtered={filtered} />}
      </Panel>
      <Enrol opened={query.has("enrol")} close={() => setQuery({})} sites={sites} />
    </Page>
  );
}

function None({ filtered }: { filtered: boolean }) {
  if (filtered) return <Empty title="No agent matches">Clear the filters to see every agent.</Empty>;
  return (
    <Empty title="No agent has joined yet" icon={<IconRouter size={28} aria-hidden />}>
      Install it on a host that reaches your systems, and let it join with a command from here: press “Enrol an agent”.
    </Empty>
  );
}
