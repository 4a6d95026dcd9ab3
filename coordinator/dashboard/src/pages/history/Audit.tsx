import { Group, Select, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useState } from "react";
import { http } from "../../api/client";
import { Empty } from "../../parts/Empty";
import { Export } from "../../parts/Export";
import { Instant } from "../../parts/Instant";
import { Loading } from "../../parts/Loading";
import { More } from "../../parts/More";
import { usePages } from "../../parts/pages";
import { Panel } from "../../parts/Panel";
import { Refusal } from "../../parts/Refusal";
import { Rows } from "../../parts/Rows";
import { State } from "../../parts/State";
import { useFilters } from "../../parts/filters";
import { sinceOf, Since } from "./Since";

const slice = 100;

/** Who did what, from where, and why. */
export function Audit() {
  const { get, set } = useFilters();
  const [who, setWho] = useState(get("who") ?? "");
  const [asked] = useDebouncedValue(who.trim(), 250);
  const outcome = get("outcome") === "done" ? "done" : get("outcome") === "refused" ? "refused" : undefined;
  const query = { who: asked || undefined, outcome, since: sinceOf(get("since")) } as const;
  const audit = usePages(["/v1/audit", query], async (cursor, signal) => {
    const { data, error } = await http.GET("/v1/audit", { params: { query: { ...query, before: Number(cursor) || undefined, limit: slice } }, signal });
    return { error, data: data && { ...data, next: data.items.length === slice ? String(data.items.at(-1)?.seq) : undefined } };
  });
  return (
    <Panel flush>
      <Group p="sm" gap="sm">
        <TextInput aria-label="Who" placeholder="Who" value={who} onChange={(e) => setWho(e.currentTarget.value)} w={180} />
        <Since value={get("since") ?? null} onChange={(v) => set("since", v)} />
        <Select aria-label="Outcome" placeholder="Done or refused" clearable data={["done", "refused"]} value={outcome ?? null} onChange={(v) => set("outcome", v)} w={150} />
        <div style={{ marginLeft: "auto" }}>
          <Export operation="export-audit" path="/v1/audit/export" query={query} name="audit" lines="ndjson" />
        </div>
      </Group>
      <Refusal error={audit.error} />
      {audit.isPending && <Loading />}
      {audit.list.length > 0 && (
        <Rows
          label="Audit" rows={audit.list} rowKey={(a) => a.seq}
          columns={[
            { head: "When", cell: (a) => <Instant at={a.at} as="time" />, width: 120 },
            { head: "Who", cell: (a) => <>{a.who}<Text fz="xs" c="dimmed">{a.means}, {a.address}</Text></>, width: 190 },
            { head: "What", cell: (a) => <span className="mono">{a.action}</span>, width: 190 },
            { head: "On what", cell: (a) => <>{a.object}{a.detail && <Text fz="xs" c="dimmed">{a.detail}</Text>}</> },
            { head: "Why", cell: (a) => a.reason ?? "" },
            { head: "Outcome", cell: (a) => <State of={a.outcome} tone={a.outcome === "refused" ? "bad" : "good"} />, width: 110 },
          ]}
        />
      )}
      <More of={audit} label="Show earlier" />
      {audit.isSuccess && audit.list.length === 0 && <Empty title="Nothing matches">Clear the filters to see everything.</Empty>}
    </Panel>
  );
}
