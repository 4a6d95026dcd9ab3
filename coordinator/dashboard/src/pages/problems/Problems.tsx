import { Button, Text } from "@mantine/core";
import { IconCircleCheck } from "@tabler/icons-react";
import { Link } from "react-router";
import { http, type Schema } from "../../api/client";
import { useAction } from "../../parts/action";
import { Empty } from "../../parts/Empty";
import { Instant } from "../../parts/Instant";
import { Loading } from "../../parts/Loading";
import { Page } from "../../parts/Page";
import { More } from "../../parts/More";
import { usePages } from "../../parts/pages";
import { Panel } from "../../parts/Panel";
import { Refusal } from "../../parts/Refusal";
import { Rows, type Column } from "../../parts/Rows";
import { sentence } from "../../api/problem";

type Obstacle = Schema["Obstacle"];

export const useRetry = () =>
  useAction((body: Schema["Retry"]) => http.POST("/v1/problems/retry", { body }), { done: (d) => d.detail });

const useProblems = (system?: string) =>
  usePages<Obstacle>(["/v1/problems", { system }], (cursor, signal) => http.GET("/v1/problems", { params: { query: { system, cursor, limit: 100 } }, signal }));

/** What stops accounts from being as wanted. */
export default function Problems() {
  const problems = useProblems();
  const retry = useRetry();
  const all = problems.list.length > 1 && (
    <Button variant="default" onClick={() => retry.mutate({})} loading={retry.isPending}>
      Try all again
    </Button>
  );
  return (
    <Page title="Problems" lead="What stops accounts from being as wanted. Each is tried again by itself; what it says mends it sooner." actions={all}>
      <Panel flush>
        <Refusal error={problems.error} onRetry={() => void problems.refetch()} />
        {problems.isPending && <Loading />}
        {problems.list.length > 0 && <List of={problems.list} />}
        <More of={problems} />
        {problems.isSuccess && problems.list.length === 0 && (
          <Empty title="Nothing is in the way" icon={<IconCircleCheck size={28} aria-hidden color="var(--good)" />}>
            Every account is as it should be, or is being made so.
          </Empty>
        )}
      </Panel>
    </Page>
  );
}

/** What is in the way at one system; nothing where there is nothing. */
export function SystemProblems({ system }: { system: string }) {
  const problems = useProblems(system);
  const retry = useRetry();
  if (problems.list.length === 0) return null;
  const all = (
    <Button variant="default" onClick={() => retry.mutate({ system })} loading={retry.isPending}>
      Try all again
    </Button>
  );
  return (
    <Panel title="Held back by a problem" flush actions={all}>
      <List of={problems.list} />
      <More of={problems} />
    </Panel>
  );
}

function List({ of: list }: { of: Obstacle[] }) {
  const retry = useRetry();
  const columns: Column<Obstacle>[] = [
    { head: "Person", cell: (o) => <Link to={`/people/${encodeURIComponent(o.person)}`}>{o.display || o.person}</Link>, width: 180 },
    { head: "System", cell: (o) => o.system, width: 110 },
    { head: "What is wrong", cell: (o) => <Cause of={o} /> },
    { head: "Since", cell: (o) => <Instant at={o.at} />, width: 110, align: "right" },
    { head: "Next try", cell: (o) => <Instant at={o.retry} none="when mended" />, width: 110, align: "right", wide: true },
    {
      head: "Again", width: 100, align: "right",
      cell: (o) => (
        <Button variant="default" pos="relative" style={{ zIndex: 1 }} onClick={() => retry.mutate({ person: o.person, system: o.system })} aria-label={`Try again: ${o.display}`}>
          Try again
        </Button>
      ),
    },
  ];
  return <Rows label="Problems" columns={columns} rows={list} rowKey={(o) => `${o.person} ${o.system}`} />;
}

/** Of which attribute and object a fault tells, and how long the value was. */
export function Where({ of: f }: { of: Schema["Trouble"] }) {
  if (!f.attribute && !f.object) return null;
  return (
    <Text c="dimmed" fz="sm">
      {f.attribute && <span className="mono">{f.attribute}</span>}
      {f.attribute && f.object && " of "}
      {f.object && <span className="mono">{f.object}</span>}
      {f.length ? `, a value of ${f.length} characters` : ""}
    </Text>
  );
}

/** The way to the exact request and answer; nothing where nothing was asked of the system. */
export function Exchange({ job }: { job?: number }) {
  if (!job) return null;
  return (
    <Text fz="sm" pos="relative" style={{ zIndex: 1 }}>
      <Link to={`/changes/jobs?job=${job}`}>The exact request and answer</Link>
    </Text>
  );
}

export function Cause({ of: o }: { of: Obstacle }) {
  return (
    <>
      {sentence(o.fault.cause)}
      <Where of={o.fault} />
      {o.fault.next_step && <Text c="dimmed" fz="sm">{sentence(o.fault.next_step)}</Text>}
      <Exchange job={o.job} />
    </>
  );
}
