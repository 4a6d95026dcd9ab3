import { Button, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { Link } from "react-router";
import { http, type Schema } from "../../api/client";
import { isInstant } from "../../api/format";
import { Empty } from "../../parts/Empty";
import { Instant } from "../../parts/Instant";
import { Loading } from "../../parts/Loading";
import { May } from "../../parts/May";
import { More } from "../../parts/More";
import { usePages } from "../../parts/pages";
import { Panel } from "../../parts/Panel";
import { Refusal } from "../../parts/Refusal";
import { Rows } from "../../parts/Rows";
import { RegroupDialog } from "../person/RegroupDialog";

type Merge = Schema["Merge"];

/** Who was made one with whom, or two, and the way back; of one person, or of everybody. */
export function Merges({ of: key }: { of?: string }) {
  const merges = usePages<Merge>(["/v1/merges"], (cursor, signal) => http.GET("/v1/merges", { params: { query: { cursor, limit: 100 } }, signal }));
  const list = merges.list.filter((m) => !key || m.person === key || m.other === key);
  if (key && merges.isSuccess && list.length === 0 && !merges.hasNextPage) return null;
  return (
    <Panel title="Merged and split" flush>
      <Refusal error={merges.error} />
      {merges.isPending && <Loading rows={3} />}
      {list.length > 0 && (
        <Rows
          label="Merged and split" rows={list} rowKey={(m) => m.id}
          columns={[
            { head: "When", cell: (m) => <Instant at={m.at} as="time" />, width: 120 },
            { head: "What", cell: (m) => <What of={m} /> },
            { head: "By", cell: (m) => m.who, width: 160 },
            { head: "Changed hands", cell: (m) => m.moved, width: 130, align: "right" },
            { head: "Take back", cell: (m) => <TakeBack of={m} />, width: 190, align: "right" },
          ]}
        />
      )}
      {merges.isSuccess && list.length === 0 && (
        <Empty title="Nobody was merged or split">Where two people turn out to be one, or one to be two, that is put right on their page, below Records.</Empty>
      )}
      <More of={merges} />
    </Panel>
  );
}

function What({ of: m }: { of: Merge }) {
  const who = (key: string) => <Link to={`/people/${encodeURIComponent(key)}?tab=records`}>{key}</Link>;
  return m.kind === "merge" ? <>{who(m.other)} became one with {who(m.person)}</> : <>{who(m.other)} was split off {who(m.person)}</>;
}

function TakeBack({ of: m }: { of: Merge }) {
  const [opened, { open, close }] = useDisclosure();
  if (isInstant(m.undone)) return <Text fz="xs" c="dimmed">taken back <Instant at={m.undone} /> by {m.undone_by}</Text>;
  return (
    <May operation="undo-merge">
      <Button size="compact-xs" variant="subtle" onClick={open} aria-label={`Take back: ${m.kind} of ${m.other}`}>
        Take back …
      </Button>
      <RegroupDialog
        title={m.kind === "merge" ? `Make ${m.other} a person of their own again?` : `Make ${m.other} one with ${m.person} again?`} about={`undo ${m.id}`} verb="Take it back" opened={opened} close={close}
        ask={(preview) => http.POST("/v1/merges/{id}/undo", { params: { path: { id: m.id } }, body: { preview } })} done={() => "It is taken back."}
      />
    </May>
  );
}
