import { Button, Checkbox, Group, Select, Text } from "@mantine/core";
import { IconCircleCheck } from "@tabler/icons-react";
import { useState } from "react";
import { Link } from "react-router";
import { api, http, type Schema } from "../../api/client";
import { counted } from "../../api/format";
import { useMay } from "../../api/me";
import { useAction } from "../../parts/action";
import { Empty } from "../../parts/Empty";
import { useFilters } from "../../parts/filters";
import { Instant } from "../../parts/Instant";
import { Loading } from "../../parts/Loading";
import { Panel } from "../../parts/Panel";
import { Refusal } from "../../parts/Refusal";
import { Rows, type Column } from "../../parts/Rows";
import { State } from "../../parts/State";
import { SystemFilter } from "../../parts/SystemFilter";

type Row = Schema["Drift"];

const kinds = [
  { value: "left", label: "Waits for a decision", tone: "warn" },
  { value: "found", label: "Is put back", tone: "busy" },
  { value: "adopted", label: "Stands", tone: "calm" },
  { value: "undone", label: "Was undone", tone: "calm" },
] as const;

const most = 200;
const keyOf = (d: Row) => `${d.person}\n${d.system}\n${d.attribute}`;

/** What differs at an account, as people call it. */
function attributeOf({ attribute: name, group }: Row) {
  if (name.startsWith("group ")) return <>member of {group || <span className="mono">{name.slice(6)}</span>}</>;
  if (name === "address") return "where it is";
  if (name === "enabled") return "whether it is enabled";
  if (name === "account") return "the account itself";
  return <span className="mono">{name}</span>;
}

const columns: Column<Row>[] = [
  { head: "Person", cell: (d) => <Link to={`/people/${encodeURIComponent(d.person)}`}>{d.display || d.person}</Link>, width: 170 },
  { head: "What", cell: (d) => <>{attributeOf(d)}<Text fz="xs" c="dimmed">{d.system}</Text></>, width: 140 },
  { head: "The rules want", cell: (d) => d.refused?.join(", ") || "nothing", width: 190 },
  { head: "It is", cell: (d) => d.found?.join(", ") || "nothing", width: 190 },
  { head: "State", cell: (d) => <State of={d.kind} tone={kinds.find((k) => k.value === d.kind)?.tone}>{kinds.find((k) => k.value === d.kind)?.label ?? d.kind}</State>, width: 165 },
  { head: "Since", cell: (d) => <><Instant at={d.at} />{d.by && <Text fz="xs" c="dimmed">{d.by}</Text>}</>, width: 105, align: "right" },
];

/** Where accounts are other than the rules want, because somebody changed them or a change was undone; and what becomes of that. */
export function Drift() {
  const { get, set } = useFilters();
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const decide = useMay("adopt-drift");
  const kind = kinds.find((k) => k.value === get("kind"))?.value;
  const { data, error } = api.useQuery("get", "/v1/drift", { params: { query: { system: get("system"), kind, limit: most } } });
  const list = data?.items ?? [];
  const taken = list.filter((d) => chosen.has(keyOf(d)));
  const pick: Column<Row> = {
    head: "Choose", width: 75,
    cell: (d) => <Checkbox size="xs" aria-label={`Choose ${d.display} ${d.system} ${d.attribute}`} checked={chosen.has(keyOf(d))} onChange={(e) => setChosen(withOr(chosen, keyOf(d), e.currentTarget.checked))} />,
  };
  return (
    <Panel flush>
      <Group p="sm" gap="sm">
        <SystemFilter value={get("system") ?? null} onChange={(v) => set("system", v)} />
        <Select aria-label="State" placeholder="Every state" clearable data={kinds.map(({ value, label }) => ({ value, label }))} value={kind ?? null} onChange={(v) => set("kind", v)} w={190} />
        {decide && list.length > 0 && (
          <Group ml="auto" gap="xs">
            <Button variant="subtle" onClick={() => setChosen(taken.length === list.length ? new Set() : new Set(list.map(keyOf)))}>
              {taken.length === list.length ? "Choose none" : "Choose all"}
            </Button>
            <Decide of={taken} done={() => setChosen(new Set())} />
          </Group>
        )}
      </Group>
      <Refusal error={error} />
      {!data && !error && <Loading />}
      {list.length > 0 && <Rows label="Drift" columns={decide ? [...columns, pick] : columns} rows={list} rowKey={keyOf} />}
      {list.length === most && <Text p="sm" fz="sm" c="dimmed">These are the latest {most}: choose a system or a state to see others.</Text>}
      {data && list.length === 0 && (
        <Empty title={kind || get("system") ? "Nothing matches" : "Every account is as its rules want"} icon={<IconCircleCheck size={28} aria-hidden color="var(--good)" />}>
          What somebody else changes at a system is seen by the next read. The drift of a rule says whether it is put back, stands, or waits here for you.
        </Empty>
      )}
    </Panel>
  );
}

function withOr(set: ReadonlySet<string>, key: string, member: boolean) {
  const next = new Set(set);
  if (member) next.add(key);
  else next.delete(key);
  return next;
}

/** Decides about all that are chosen, one after the other; the first that is refused ends it. */
function Decide({ of, done }: { of: Row[]; done: () => void }) {
  const say = (what: string) => () => `${what}: ${counted(of.length, "difference")}.`;
  const adopt = useAction(() => each(of, (body) => http.POST("/v1/drift/adopt", { body })), { done: say("Let be, until the rules want something else"), onDone: done });
  const revert = useAction(() => each(of, (body) => http.POST("/v1/drift/revert", { body })), { done: say("Put back"), onDone: done });
  return (
    <>
      <Button variant="default" disabled={of.length === 0} loading={adopt.isPending} onClick={() => adopt.mutate(undefined)}>
        Let it stand
      </Button>
      <Button disabled={of.length === 0} loading={revert.isPending} onClick={() => revert.mutate(undefined)}>
        Put it back
      </Button>
    </>
  );
}

async function each<T>(list: Row[], act: (body: Schema["DriftDecision"]) => Promise<{ data?: T; error?: unknown }>) {
  let last: { data?: T; error?: unknown } = {};
  for (const { person, system, attribute } of list) {
    last = await act({ person, system, attribute });
    if (last.error !== undefined) break;
  }
  return last;
}
