import { Button, Group, Stack, Text } from "@mantine/core";
import { Link } from "react-router";
import { http, type Schema } from "../../api/client";
import { count, counted } from "../../api/format";
import { sentence } from "../../api/problem";
import { useAction } from "../../parts/action";
import { Confirm } from "../../parts/Confirm";
import { Instant } from "../../parts/Instant";
import { May } from "../../parts/May";
import { Panel } from "../../parts/Panel";
import { Rows } from "../../parts/Rows";
import { State } from "../../parts/State";

type Plan = Schema["Plan"];

/** Why a plan waits, as people say it. */
export function reasonOf(cause: string) {
  if (cause.startsWith("system ")) return `${cause.slice(7)} is in mode preview: nothing is written there before somebody has seen it.`;
  if (cause.startsWith("undo ")) return `To undo what was done: ${cause.slice(8)}.`;
  return `Asked for as a preview: ${cause}.`;
}

export const changesOf = (p: Plan) => (p.counts ?? []).reduce((n, c) => n + (p.state === "open" || p.state === "sealed" ? c.waiting : c.changes), 0);

/** A plan that waits for a decision, by system and kind of change. */
export function PlanPanel({ plan: p, whole }: { plan: Plan; whole?: boolean }) {
  return (
    <Panel title={`Plan ${p.id}: ${counted(changesOf(p), "change")}`} flush actions={<Decide plan={p} />}>
      <Stack gap={4} px={14} py={10}>
        <Text fz="sm">{reasonOf(p.cause)}</Text>
        {(p.notes ?? []).map((n) => (
          <Text key={n} fz="sm" c="dimmed">
            {sentence(n)}
          </Text>
        ))}
        <Text fz="sm" c="dimmed" component="div">
          {p.state === "open" ? <State of="reading">people are still being planned</State> : <>Complete since <Instant at={p.sealed} />.</>}{" "}
          {!whole && <Link to={`/plans/${p.id}`}>Look at every change</Link>}
        </Text>
      </Stack>
      <Rows
        label={`Plan ${p.id}`} rows={p.counts ?? []} rowKey={(c) => `${c.system} ${c.class}`}
        columns={[
          { head: "Change", cell: (c) => c.class },
          { head: "In", cell: (c) => c.system },
          { head: "How many", cell: (c) => count(c.changes), align: "right" },
          { head: "Still waiting", cell: (c) => count(c.waiting), align: "right" },
        ]}
      />
    </Panel>
  );
}

/** Approves or rejects a plan as it was looked at: one that is another by now is refused. */
function Decide({ plan: p }: { plan: Plan }) {
  const params = { path: { ref: String(p.id) } };
  const approve = useAction(() => http.POST("/v1/plans/{ref}/approve", { params, body: { hash: p.hash } }), { done: `Plan ${p.id} is approved: it is being done.` });
  const reject = useAction(() => http.POST("/v1/plans/{ref}/reject", { params, body: { hash: p.hash } }), { done: `Plan ${p.id} is rejected: nothing of it is done.` });
  if (p.state !== "sealed") return <State of={p.state === "approved" ? "applied" : p.state === "open" ? "reading" : "gone"}>{p.state}</State>;
  return (
    <May operation="approve-plan">
      <Group gap="xs">
        <Confirm
          title={`Reject plan ${p.id}?`} verb="Reject" danger onConfirm={() => reject.mutate(undefined)}
          trigger={(open) => (
            <Button variant="default" loading={reject.isPending} onClick={open}>
              Reject …
            </Button>
          )}
        >
          Nothing of it is done, and it is not planned again until the people change or you try again.
        </Confirm>
        <Button loading={approve.isPending} onClick={() => approve.mutate(undefined)}>
          Approve {count(changesOf(p))}
        </Button>
      </Group>
    </May>
  );
}
