import { Button, Group, Select, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { IconDownload } from "@tabler/icons-react";
import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useSearchParams } from "react-router";
import { http } from "../../api/client";
import { Empty } from "../../parts/Empty";
import { Entries } from "../../parts/Entries";
import { Loading } from "../../parts/Loading";
import { Page } from "../../parts/Page";
import { Panel } from "../../parts/Panel";
import { Refusal } from "../../parts/Refusal";
import { SystemFilter } from "../../parts/SystemFilter";
import { kinds } from "./kinds";
import { save } from "./save";

const slice = 100;

interface Filter {
  system?: string;
  kind?: string;
  person?: string;
}

/** Everything that happened, and who did what. */
export default function History() {
  const [query, setQuery] = useSearchParams();
  const [person, setPerson] = useState(query.get("person") ?? "");
  const [asked] = useDebouncedValue(person.trim(), 250);
  const filter: Filter = { system: query.get("system") ?? undefined, kind: query.get("kind") ?? undefined, person: asked || undefined };
  const log = useLog(filter);
  const list = log.data?.pages.flatMap((p) => p.items) ?? [];
  const set = (name: string, value: string | null) =>
    setQuery((q) => {
      if (value) q.set(name, value);
      else q.delete(name);
      return q;
    }, { replace: true });
  return (
    <Page
      title="History" lead="Every change, every decision and who made it, the latest first."
      actions={
        <Button variant="default" leftSection={<IconDownload size={14} aria-hidden />} onClick={() => void save(filter)}>
          Export
        </Button>
      }
    >
      <Panel flush>
        <Group p="sm" gap="sm">
          <SystemFilter value={filter.system ?? null} onChange={(v) => set("system", v)} />
          <Select aria-label="Kind" placeholder="Every kind" clearable data={kinds} value={filter.kind ?? null} onChange={(v) => set("kind", v)} w={200} />
          <TextInput aria-label="Number of a person" placeholder="Number of a person" value={person} onChange={(e) => setPerson(e.currentTarget.value)} w={180} />
        </Group>
        <Refusal error={log.error} />
        {log.isPending && <Loading />}
        {list.length > 0 && <Entries list={list} />}
        {log.isSuccess && list.length === 0 && <Empty title="Nothing matches">Choose another system or kind, or clear the filters.</Empty>}
        {log.hasNextPage && (
          <Group justify="center" p="sm">
            <Button variant="default" loading={log.isFetchingNextPage} onClick={() => void log.fetchNextPage()}>
              Show earlier
            </Button>
          </Group>
        )}
      </Panel>
    </Page>
  );
}

const useLog = (filter: Filter) =>
  useInfiniteQuery({
    queryKey: ["log", "/v1/log", filter],
    initialPageParam: "",
    placeholderData: keepPreviousData,
    queryFn: async ({ pageParam, signal }) => {
      const { data, error } = await http.GET("/v1/log", { params: { query: { ...filter, cursor: pageParam || undefined, limit: slice } }, signal });
      if (error) throw error;
      return data;
    },
    getNextPageParam: (last) => last.next,
  });
