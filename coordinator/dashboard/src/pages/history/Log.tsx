import { Group, Select, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useState } from "react";
import { http } from "../../api/client";
import { Empty } from "../../parts/Empty";
import { Entries } from "../../parts/Entries";
import { Export } from "../../parts/Export";
import { Loading } from "../../parts/Loading";
import { More } from "../../parts/More";
import { usePages } from "../../parts/pages";
import { Panel } from "../../parts/Panel";
import { Refusal } from "../../parts/Refusal";
import { SystemFilter } from "../../parts/SystemFilter";
import { useFilters } from "../../parts/filters";
import { kinds } from "./kinds";
import { sinceOf, Since } from "./Since";

type Filter = Partial<Record<"system" | "kind" | "person" | "q" | "since", string>>;

/** The provisioning log. */
export function Log() {
  const { get, set } = useFilters();
  const [person, setPerson] = useState(get("person") ?? "");
  const [text, setText] = useState(get("q") ?? "");
  const [asked] = useDebouncedValue({ person: person.trim(), q: text.trim() }, 250);
  const since = get("since");
  const filter: Filter = { system: get("system"), kind: get("kind"), person: asked.person || undefined, q: asked.q || undefined, since: sinceOf(since) };
  const log = useLog(filter);
  const { list } = log;
  return (
    <Panel flush>
      <Group p="sm" gap="sm">
        <SystemFilter value={get("system") ?? null} onChange={(v) => set("system", v)} />
        <Select aria-label="Kind" placeholder="Every kind" clearable data={kinds} value={get("kind") ?? null} onChange={(v) => set("kind", v)} w={180} />
        <Since value={since ?? null} onChange={(v) => set("since", v)} />
        <TextInput aria-label="Number of a person" placeholder="Number of a person" value={person} onChange={(e) => setPerson(e.currentTarget.value)} w={150} />
        <TextInput aria-label="Text" placeholder="Text" value={text} onChange={(e) => setText(e.currentTarget.value)} w={150} />
        <div style={{ marginLeft: "auto" }}>
          <Export operation="export-log" path="/v1/log/export" query={filter} name="history" />
        </div>
      </Group>
      <Refusal error={log.error} />
      {log.isPending && <Loading />}
      {list.length > 0 && <Entries list={list} />}
      {log.isSuccess && list.length === 0 && <Empty title="Nothing matches">Choose another system or kind, or clear the filters.</Empty>}
      <More of={log} label="Show earlier" />
    </Panel>
  );
}

const useLog = (filter: Filter) =>
  usePages(["/v1/log", filter], (cursor, signal) => http.GET("/v1/log", { params: { query: { ...filter, cursor, limit: 50 } }, signal }));
