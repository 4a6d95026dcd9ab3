import { Alert, Drawer, Stack, Text } from "@mantine/core";
import type { ReactNode } from "react";
import { Link } from "react-router";
import { api, type Schema } from "../../api/client";
import { sentence } from "../../api/problem";
import { Entries } from "../../parts/Entries";
import { Exact } from "../../parts/Exact";
import { Instant } from "../../parts/Instant";
import { Loading } from "../../parts/Loading";
import { Facts } from "../../parts/Panel";
import { Refusal } from "../../parts/Refusal";
import { Rows } from "../../parts/Rows";
import { State } from "../../parts/State";
import { Where } from "../problems/Problems";
import { UndoButton } from "../plans/UndoButton";

/** A job with its reasons, and the exact request and answer. */
export function JobDrawer({ id, close }: { id: number | undefined; close: () => void }) {
  return (
    <Drawer opened={id !== undefined} onClose={close} position="right" size="xl" title={<Text fw={600}>Job {id}</Text>} closeButtonProps={{ "aria-label": "Close" }}>
      {id !== undefined && <Detail id={id} />}
    </Drawer>
  );
}

function Detail({ id }: { id: number }) {
  const { data: j, error } = api.useQuery("get", "/v1/jobs/{id}", { params: { path: { id } } });
  if (error) return <Refusal error={error} />;
  if (!j) return <Loading />;
  return (
    <Stack gap="md">
      <Text fz="md" fw={550}>{sentence(j.text)}</Text>
      {j.fault && <Alert variant="default" title={sentence(j.fault.cause)}><Where of={j.fault} />{j.fault.next_step}{j.fault.raw && <div className="mono">{j.fault.raw}</div>}</Alert>}
      <Facts list={facts(j)} />
      {j.state === "done" && j.person && (
        <div>
          <UndoButton what={{ job: j.id }} about={`“${j.text}” for ${j.display || j.person}`} />
        </div>
      )}
      {(j.reasons ?? []).length > 0 && (
        <Rows
          label="Why" rows={j.reasons ?? []} rowKey={(r) => r.attribute}
          columns={[
            { head: "Attribute", cell: (r) => r.attribute, width: 150 },
            { head: "Before", cell: (r) => r.before?.join(", ") || "nothing", width: 110 },
            { head: "After", cell: (r) => r.after?.join(", ") || "nothing" },
            { head: "Rule", cell: (r) => (r.rule ? <span className="mono">{r.rule.text}</span> : "") },
          ]}
        />
      )}
      <Exact title="Request: what the agent is asked to do" text={JSON.stringify(j.request, null, 2)} />
      {j.answer !== undefined && <Exact title="Answer: what came back" text={JSON.stringify(j.answer, null, 2)} />}
      {j.answer === undefined && j.state === "done" && <Text fz="sm" c="dimmed">Its answer is not kept any more.</Text>}
      {(j.log ?? []).length > 0 && <Entries list={j.log ?? []} />}
    </Stack>
  );
}

function facts(j: Schema["JobDetail"]): [string, ReactNode][] {
  const list: [string, ReactNode][] = [
    ["State", <State of={j.state} />],
    ["Class", j.class],
    ["System", <Link to={`/systems/${j.system}`}>{j.system}</Link>],
  ];
  if (j.person) list.push(["Person", <Link to={`/people/${encodeURIComponent(j.person)}`}>{j.display || j.person}</Link>]);
  if (j.cycle) list.push(["Cycle", <Link to={`/cycles/${j.cycle}`}>{j.cycle}</Link>]);
  list.push(["Planned", <Instant at={j.made} as="time" />], ["Sent", <Instant at={j.sent} as="time" none="not yet" />], ["Ended", <Instant at={j.ended} as="time" none="not yet" />]);
  if (j.outcome) list.push(["Outcome", j.outcome.toLowerCase().replaceAll("_", " ")]);
  return list;
}
