import { Group, SegmentedControl, Stack, Text } from "@mantine/core";
import { useState } from "react";
import { Link, useParams } from "react-router";
import { api, http, type Schema } from "../../api/client";
import { sentence } from "../../api/problem";
import { Empty } from "../../parts/Empty";
import { Instant } from "../../parts/Instant";
import { Loading } from "../../parts/Loading";
import { Page } from "../../parts/Page";
import { More } from "../../parts/More";
import { usePages } from "../../parts/pages";
import { Panel } from "../../parts/Panel";
import { Refusal } from "../../parts/Refusal";
import { Rows } from "../../parts/Rows";
import { State } from "../../parts/State";
import { PlanPanel } from "./PlanPanel";

/** A plan with every change, the values before and why. */
export default function Plan() {
  const { ref = "" } = useParams();
  const params = { path: { ref } };
  const { data: p, error, refetch } = api.useQuery("get", "/v1/plans/{ref}", { params });
  if (!p) return <Page title={`Plan ${ref}`}>{error ? <Refusal error={error} onRetry={() => void refetch()} /> : <Loading />}</Page>;
  const decided = p.decided && p.by ? <>{p.state} <Instant at={p.decided} /> by {p.by}</> : p.state;
  return (
    <Page title={`Plan ${p.id}`} lead={<><Link to="/changes">Changes</Link> / {decided}</>}>
      <Stack gap="md">
        <PlanPanel plan={p} whole />
        <Changes plan={p} />
      </Stack>
    </Page>
  );
}

function Changes({ plan: p }: { plan: Schema["Plan"] }) {
  const [kind, setKind] = useState("all");
  const changes = usePages(["/v1/plans/{ref}/changes", p.id], (cursor, signal) =>
    http.GET("/v1/plans/{ref}/changes", { params: { path: { ref: String(p.id) }, query: { cursor, limit: 200 } }, signal }),
  );
  const kinds = [...new Set((p.counts ?? []).map((c) => c.class))];
  const list = changes.list.filter((c) => kind === "all" || c.class === kind);
  return (
    <Panel title="Every change" flush>
      {kinds.length > 1 && (
        <Group p="sm">
          <SegmentedControl aria-label="Kind of change" data={["all", ...kinds]} value={kind} onChange={setKind} />
        </Group>
      )}
      <Refusal error={changes.error} />
      {changes.isPending && <Loading />}
      {changes.isSuccess && list.length === 0 && <Empty title="Nothing is in it yet" />}
      {list.length > 0 && (
        <Rows
          label="Changes of the plan" rows={list} rowKey={(c) => c.id}
          columns={[
            { head: "Person", cell: (c) => (c.person ? <Link to={`/people/${encodeURIComponent(c.person)}`}>{c.display || c.person}</Link> : ""), width: 190 },
            { head: "Change", cell: (c) => <>{sentence(c.text)}<Values of={c.reasons ?? []} /></> },
            { head: "In", cell: (c) => c.system, width: 120, wide: true },
            { head: "State", cell: (c) => <State of={c.state} />, width: 110 },
          ]}
        />
      )}
      <More of={changes} />
    </Panel>
  );
}

/** What each attribute held, and shall hold. */
function Values({ of }: { of: Schema["Reason"][] }) {
  return of.slice(0, 12).map((r) => (
    <Text key={r.attribute} fz="xs" c="dimmed" component="div">
      <span className="mono">{r.attribute}</span>: {r.before?.length ? `${r.before.join(", ")} → ` : ""}{r.after?.join(", ") || "nothing"}
    </Text>
  ));
}
