import { Group, Select, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { api } from "../../api/client";
import { counted } from "../../api/format";
import { Empty } from "../../parts/Empty";
import { Instant } from "../../parts/Instant";
import { Loading } from "../../parts/Loading";
import { Panel } from "../../parts/Panel";
import { Refusal } from "../../parts/Refusal";
import { Rows } from "../../parts/Rows";
import { State } from "../../parts/State";

const most = 200;

/** What kinds of objects the system has, and which attributes the document speaks of. */
export function SchemaTab({ name, initial }: { name: string; initial?: string }) {
  const { data, error } = api.useQuery("get", "/v1/systems/{name}/schema", { params: { path: { name } } });
  const [chosen, setChosen] = useState<string>();
  const [text, setText] = useState("");
  const all = data?.classes ?? [];
  const current = all.find((c) => c.name === (chosen ?? initial)) ?? all[0];
  const found = (current?.attributes ?? []).filter((a) => a.name.toLowerCase().includes(text.trim().toLowerCase()));
  return (
    <Panel flush>
      <Refusal error={error} />
      {!data && !error && <Loading />}
      {data && all.length === 0 && <Empty title="The schema is not known yet">It is read as soon as an agent reaches the system. Test the connection to see what is in the way.</Empty>}
      {current && (
        <>
          <Group p="sm" gap="sm">
            <Select aria-label="Class" data={all.map((c) => c.name)} value={current.name} onChange={(v) => setChosen(v ?? undefined)} allowDeselect={false} searchable w={220} />
            <TextInput aria-label="Attribute" placeholder="Attribute" value={text} onChange={(e) => setText(e.currentTarget.value)} w={220} />
            <Text fz="sm" c="dimmed">
              {counted(found.length, "attribute")}, read <Instant at={data?.at} />
            </Text>
          </Group>
          <Rows
            label={`Attributes of ${current.name}`} rows={found.slice(0, most)} rowKey={(a) => a.name}
            columns={[
              { head: "Attribute", cell: (a) => <span className="mono">{a.name}</span> },
              { head: "Type", cell: (a) => `${a.type}${a.multi ? ", several values" : ""}` },
              { head: "Length", cell: (a) => (a.max_length ? `at most ${a.max_length}` : ""), wide: true },
              { head: "Use", cell: (a) => (a.mapped ? <State of="ready">in the document</State> : a.read_only ? <State of="gone">read only</State> : "") },
            ]}
          />
          {found.length > most && (
            <Text p="sm" fz="sm" c="dimmed">
              and {found.length - most} more: search for an attribute
            </Text>
          )}
        </>
      )}
    </Panel>
  );
}
