import { Button, Checkbox, Stack, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useState } from "react";
import { useNavigate } from "react-router";
import { api, http, type Schema } from "../../api/client";
import { Empty } from "../../parts/Empty";
import { Loading } from "../../parts/Loading";
import { May } from "../../parts/May";
import { Panel } from "../../parts/Panel";
import { Refusal } from "../../parts/Refusal";
import { Rows } from "../../parts/Rows";
import { State } from "../../parts/State";
import { Merges } from "../history/Merges";
import { PersonPicker } from "../mapping/PersonPicker";
import { RegroupDialog } from "./RegroupDialog";

type Belonging = Schema["Belonging"];

const keyOf = (b: Belonging) => `${b.system} ${b.id}`;

/** What is this person's; here two people are made one, or one two. */
export function Records({ person }: { person: Schema["Person"] }) {
  const { data, error } = api.useQuery("get", "/v1/people/{key}/records", { params: { path: { key: person.key } } });
  const [chosen, setChosen] = useState<string[]>([]);
  const list = data?.items ?? [];
  const parts = list.filter((b) => chosen.includes(keyOf(b)));
  return (
    <Stack gap="md">
      <Panel title="Records and accounts of this person" flush actions={<><Split person={person} parts={parts} done={() => setChosen([])} /><Merge person={person} /></>}>
        <Refusal error={error} />
        {!data && !error && <Loading rows={3} />}
        {data && list.length === 0 && <Empty title="Nothing is theirs">No record tells of them, and they have no account.</Empty>}
        {list.length > 0 && (
          <Rows
            label="Records and accounts" rows={list} rowKey={keyOf}
            columns={[
              { head: "What", cell: (b) => <>{b.place || b.id}{b.gone && <>{" "}<State of="gone" /></>}</> },
              { head: "Kind", cell: (b) => (b.kind === "record" ? "record: tells of them" : "account: kept for them"), width: 210 },
              { head: "System", cell: (b) => b.system, width: 130 },
              { head: "Number", cell: (b) => b.key && <span className="mono">{b.key}</span>, width: 130 },
              {
                head: "Not theirs", width: 90,
                cell: (b) => (
                  <Checkbox
                    size="xs" aria-label={`Not theirs: ${b.kind} ${b.place || b.id} of ${b.system}`} checked={chosen.includes(keyOf(b))}
                    onChange={(e) => setChosen(e.currentTarget.checked ? [...chosen, keyOf(b)] : chosen.filter((k) => k !== keyOf(b)))}
                  />
                ),
              },
            ]}
          />
        )}
      </Panel>
      <Merges of={person.key} />
    </Stack>
  );
}

function Merge({ person }: { person: Schema["Person"] }) {
  const [opened, { open, close }] = useDisclosure();
  const [into, setInto] = useState("");
  const go = useNavigate();
  return (
    <May operation="merge-person">
      <Button variant="default" onClick={open}>
        Merge into …
      </Button>
      <RegroupDialog
        title={`${person.display} is the same person as …`} about={into && `merge ${person.key} ${into}`} verb="Merge" opened={opened} close={close}
        ask={(preview) => http.POST("/v1/people/{key}/merge", { params: { path: { key: person.key } }, body: { into, preview } })}
        done={() => `${person.display} is one with ${into} now.`} onDone={() => void go(`/people/${encodeURIComponent(into)}?tab=records`)}
      >
        <Text fz="sm">What is known of {person.display}, and their accounts, become that person’s. It can be taken back.</Text>
        <PersonPicker label="The person who stays" value={into} onChange={setInto} />
      </RegroupDialog>
    </May>
  );
}

function Split({ person, parts, done }: { person: Schema["Person"]; parts: Belonging[]; done: () => void }) {
  const [opened, { open, close }] = useDisclosure();
  const records = parts.map((b) => ({ system: b.system, id: b.id }));
  return (
    <May operation="split-person">
      <Button variant="default" onClick={open} disabled={parts.length === 0}>
        Split off …
      </Button>
      <RegroupDialog
        title={`What is not ${person.display}’s becomes a new person’s`} about={parts.length > 0 ? `split ${person.key} ${parts.map(keyOf).join(" ")}` : undefined} verb="Split off"
        opened={opened} close={close} ask={(preview) => http.POST("/v1/people/{key}/split", { params: { path: { key: person.key } }, body: { records, preview } })}
        done={() => "They are two people now."} onDone={done}
      />
    </May>
  );
}
