import { Button } from "@mantine/core";
import { IconPlus, IconRouter } from "@tabler/icons-react";
import { Link, useSearchParams } from "react-router";
import { api, type Schema } from "../../api/client";
import { Empty } from "../../parts/Empty";
import { Instant } from "../../parts/Instant";
import { Loading } from "../../parts/Loading";
import { Page } from "../../parts/Page";
import { Panel } from "../../parts/Panel";
import { Refusal } from "../../parts/Refusal";
import { Rows, type Column } from "../../parts/Rows";
import { State } from "../../parts/State";
import { Enrol } from "./Enrol";

const columns: Column<Schema["Agent"]>[] = [
  { head: "Host", cell: (a) => <Link to={`/agents/${a.id}`}>{a.host}</Link> },
  { head: "State", cell: (a) => (a.approval?.state === "waiting" ? <State of="held">asks for approval</State> : <State of={a.state} />) },
  { head: "Site", cell: (a) => a.site },
  { head: "Since", cell: (a) => <Instant at={a.state === "connected" ? a.connected : a.seen} /> },
  { head: "Version", cell: (a) => <span title={a.version}>{a.version.replace(/-.*/, "")}</span> },
  { head: "Platform", cell: (a) => a.platform || "not told", wide: true },
  { head: "Guardrail", cell: (a) => <Guardrail of={a.guardrail} /> },
  { head: "Certificate ends", cell: (a) => <Instant at={a.cert_expires} />, align: "right", wide: true },
];

export function Guardrail({ of: g }: { of: Schema["Guardrail"] }) {
  if (!g.mode) return <>not told</>;
  return <State of={g.mode} tone={g.mode === "broken" ? "bad" : g.mode === "observe" ? "warn" : "good"}>{g.mode}</State>;
}

export default function Agents() {
  const [query, setQuery] = useSearchParams();
  const { data, error, isPending, refetch } = api.useQuery("get", "/v1/agents", {});
  const enrol = (
    <Button leftSection={<IconPlus size={14} aria-hidden />} onClick={() => setQuery({ enrol: "1" })}>
      Enrol an agent
    </Button>
  );
  return (
    <Page title="Agents" lead="They stand at your sites and do the work. Each dials out; nothing ever connects in." actions={enrol}>
      <Panel flush>
        <Refusal error={error} onRetry={() => void refetch()} />
        {isPending && <Loading />}
        {data && data.items.length > 0 && <Rows label="Agents" columns={columns} rows={data.items} rowKey={(a) => a.id} linked />}
        {data?.items.length === 0 && (
          <Empty title="No agent has joined yet" icon={<IconRouter size={28} aria-hidden />}>
            Install it on a host that reaches your systems, and let it join with a command from here: press “Enrol an agent”.
          </Empty>
        )}
      </Panel>
      <Enrol opened={query.has("enrol")} close={() => setQuery({})} sites={[...new Set((data?.items ?? []).map((a) => a.site))]} />
    </Page>
  );
}
