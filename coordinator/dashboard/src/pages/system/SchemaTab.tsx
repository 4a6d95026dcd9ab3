import { Button, Group, Select, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { api, type Schema } from "../../api/client";
import { count, counted } from "../../api/format";
import { Empty } from "../../parts/Empty";
import { Instant } from "../../parts/Instant";
import { Loading } from "../../parts/Loading";
import { Panel } from "../../parts/Panel";
import { Refusal } from "../../parts/Refusal";
import { Rows } from "../../parts/Rows";
import { State } from "../../parts/State";

const most = 60;

/** What the document speaks of the most. */
function mostMapped(all: Schema["SchemaClass"][]) {
  const mapped = (c: Schema["SchemaClass"]) => (c.attributes ?? []).filter((a) => a.mapped).length;
  return all.length ? all.reduce((best, c) => (mapped(c) > mapped(best) ? c : best)) : undefined;
}

/** What kinds of objects the system has, and which attributes the document speaks of. */
export function SchemaTab({ name, initial }: { name: string; initial?: string }) {
  const { data, error } = api.useQuery("get", "/v1/systems/{name}/schema", { params: { path: { name } } });
  const [chosen, setChosen] = useState<string>();
  const [text, setText] = useState("");
  const [whole, setWhole] = useState(false);
  const all = data?.classes ?? [];
  const current = all.find((c) => c.name === (chosen ?? initial)) ?? mostMapped(all);
  const found = (current?.attributes ?? []).filter((a) => a.name.toLowerCase().includes(text.trim().toLowerCase()));
  const shown = whole ? found : [...found].sort((a, b) => Number(!!b.mapped) - Number(!!a.mapped)).slice(0, most); // those of the document first
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
            label={`Attributes of ${current.name}`} rows={shown} rowKey={(a) => a.name}
            columns={[
              { head: "Attribute", cell: (a) => <span className="mono">{a.name}</span> },
              { head: "Type", cell: (a) => `${a.type}${a.multi ? ", several values" : ""}` },
              { head: "Length", cell: (a) => (a.max_length ? `at most ${a.max_length}` : ""), wide: true },
              { head: "Use", cell: (a) => (a.mapped ? <State of="ready">in the document</State> : a.read_only ? <State of="gone">read only</State> : "") },
            ]}
          />
          {shown.length < found.length && (
            <Group justify="center" p="sm">
              <Button variant="default" onClick={() => setWhole(true)}>
                Show all {count(found.length)}
              </Button>
            </Group>
          )}
        </>
      )}
    </Panel>
  );
}
