import { Group, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { IconSearch, IconUsers } from "@tabler/icons-react";
import { useEffect, useState } from "react";
import { Link, useSearchParams } from "react-router";
import { http, type Schema } from "../../api/client";
import { count } from "../../api/format";
import { useHome } from "../../api/status";
import { Empty } from "../../parts/Empty";
import { Instant } from "../../parts/Instant";
import { Loading } from "../../parts/Loading";
import { More } from "../../parts/More";
import { Page } from "../../parts/Page";
import { usePages } from "../../parts/pages";
import { Panel } from "../../parts/Panel";
import { Refusal } from "../../parts/Refusal";
import { Rows, type Column } from "../../parts/Rows";
import { State } from "../../parts/State";

type Line = Schema["PersonLine"];
const slice = 50;

const columns: Column<Line>[] = [
  {
    head: "Name", cell: (p) => (
      <>
        <Link to={`/people/${encodeURIComponent(p.key)}`}>{p.display || p.key}</Link>
        {p.kind === "group" && <span style={{ color: "var(--calm)" }}> (group)</span>}
      </>
    ),
  },
  { head: "Number", cell: (p) => <span className="mono">{p.key}</span>, width: 150 },
  { head: "Life", cell: (p) => <State of={p.life} />, width: 110 },
  { head: "Accounts", cell: (p) => p.accounts?.join(", ") || <span style={{ color: "var(--calm)" }}>none</span> },
  { head: "Changed", cell: (p) => <Instant at={p.changed} />, width: 130, align: "right" },
];

/** Everybody, and those who are searched for while one types. */
export default function People() {
  const [query, setQuery] = useSearchParams();
  const [text, setText] = useState(query.get("q") ?? "");
  const [asked] = useDebouncedValue(text.trim(), 120);
  useEffect(() => setQuery(asked ? { q: asked } : {}, { replace: true }), [asked, setQuery]);
  const status = useHome();
  const people = usePeople(asked);
  const rows = people.list;
  return (
    <Page title="People" lead={status.data ? `${count(status.data.people)} people are known from your HR systems.` : undefined}>
      <Panel>
        <div style={{ margin: "-14px", marginBottom: 0 }}>
          <Group p="sm" gap="sm">
            <TextInput
              value={text} onChange={(e) => setText(e.currentTarget.value)} leftSection={<IconSearch size={15} aria-hidden />}
              placeholder="Name or number" aria-label="Search people by name or number" w={320} maw="100%" size="sm" autoFocus
            />
          </Group>
        </div>
        <div style={{ margin: "0 -14px -14px" }}>
          <Refusal error={people.error} onRetry={() => void people.refetch()} />
          {people.isPending && <Loading />}
          {rows.length > 0 && <Rows label="People" columns={columns} rows={rows} rowKey={(p) => p.key} linked />}
          {people.isSuccess && rows.length === 0 && <Nobody asked={asked} />}
          <More of={people} eager />
        </div>
      </Panel>
    </Page>
  );
}

const usePeople = (q: string) =>
  usePages<Line>(["/v1/people", q], (cursor, signal) => http.GET("/v1/people", { params: { query: { q: q || undefined, cursor, limit: slice } }, signal }));

function Nobody({ asked }: { asked: string }) {
  return asked ? (
    <Empty title={`Nobody is called or numbered “${asked}”`}>Search by a part of the name, or by the number that HR knows the person by.</Empty>
  ) : (
    <Empty title="Nobody is known yet" icon={<IconUsers size={28} aria-hidden />}>
      People come from an HR system. <Link to="/systems/new">Add one</Link>, and everybody in it appears here.
    </Empty>
  );
}
