import { Button, Group, TextInput } from "@mantine/core";
import { useDebouncedValue, useIntersection } from "@mantine/hooks";
import { IconSearch, IconUsers } from "@tabler/icons-react";
import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { Link, useSearchParams } from "react-router";
import { http, type Schema } from "../../api/client";
import { count } from "../../api/format";
import { useHome } from "../../api/status";
import { Empty } from "../../parts/Empty";
import { Instant } from "../../parts/Instant";
import { Loading } from "../../parts/Loading";
import { Page } from "../../parts/Page";
import { Panel } from "../../parts/Panel";
import { Refusal } from "../../parts/Refusal";
import { Rows, type Column } from "../../parts/Rows";
import { State } from "../../parts/State";

type Line = Schema["PersonLine"];
const slice = 50;

const columns: Column<Line>[] = [
  { head: "Name", cell: (p) => <Link to={`/people/${encodeURIComponent(p.key)}`}>{p.display || p.key}</Link> },
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
  const rows = people.data?.pages.flatMap((p) => p.items) ?? [];
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
          {people.hasNextPage && <More busy={people.isFetchingNextPage} load={() => void people.fetchNextPage()} />}
        </div>
      </Panel>
    </Page>
  );
}

const usePeople = (q: string) =>
  useInfiniteQuery({
    queryKey: ["people", "/v1/people", q],
    initialPageParam: "",
    placeholderData: keepPreviousData,
    queryFn: async ({ pageParam, signal }) => {
      const { data, error } = await http.GET("/v1/people", { params: { query: { q: q || undefined, cursor: pageParam || undefined, limit: slice } }, signal });
      if (error) throw error;
      return data;
    },
    getNextPageParam: (last) => last.next,
  });

function Nobody({ asked }: { asked: string }) {
  return asked ? (
    <Empty title={`Nobody is called or numbered “${asked}”`}>Search by a part of the name, or by the number that HR knows the person by.</Empty>
  ) : (
    <Empty title="Nobody is known yet" icon={<IconUsers size={28} aria-hidden />}>
      People come from an HR system. <Link to="/systems/new">Add one</Link>, and everybody in it appears here.
    </Empty>
  );
}

/** Loads what follows as soon as it comes into sight, or by its button. */
function More({ busy, load }: { busy: boolean; load: () => void }) {
  const { ref, entry } = useIntersection({ rootMargin: "400px" });
  useEffect(() => {
    if (entry?.isIntersecting && !busy) load();
  }, [entry?.isIntersecting, busy, load]);
  return (
    <Group justify="center" p="sm" ref={ref}>
      <Button variant="default" onClick={load} loading={busy}>
        Show more
      </Button>
    </Group>
  );
}
