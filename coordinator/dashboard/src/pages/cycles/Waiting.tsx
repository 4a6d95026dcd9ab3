import { Stack } from "@mantine/core";
import { IconCircleCheck } from "@tabler/icons-react";
import { api } from "../../api/client";
import { Empty } from "../../parts/Empty";
import { Loading } from "../../parts/Loading";
import { Panel } from "../../parts/Panel";
import { Refusal } from "../../parts/Refusal";
import { changesOf, PlanPanel } from "../plans/PlanPanel";
import { HeldClass } from "./HeldClass";
import { HeldCycle } from "./HeldCycle";

/** Everything that a person must decide. */
export function Waiting() {
  const held = api.useQuery("get", "/v1/held", {});
  const cycles = api.useQuery("get", "/v1/cycles", { params: { query: { state: "held", limit: 100 } } });
  const plans = api.useQuery("get", "/v1/plans", { params: { query: { limit: 50 } } });
  const failed = held.error ?? cycles.error ?? plans.error;
  if (failed) return <Refusal error={failed} />;
  if (!held.data || !cycles.data || !plans.data) return <Loading />;
  const undecided = plans.data.items.filter((p) => p.state === "open" || (p.state === "sealed" && changesOf(p) > 0)); // else all of it was done otherwise
  if (held.data.items.length + cycles.data.items.length + undecided.length === 0) {
    return (
      <Panel>
        <Empty title="Nothing waits for you" icon={<IconCircleCheck size={28} aria-hidden color="var(--good)" />}>
          When a feed loses many rows, or a class of change goes beyond its threshold, it is held here until somebody approves or rejects it.
        </Empty>
      </Panel>
    );
  }
  return (
    <Stack gap="md">
      {cycles.data.items.map((c) => (
        <HeldCycle key={c.id} cycle={c} />
      ))}
      {undecided.map((p) => (
        <PlanPanel key={p.id} plan={p} />
      ))}
      {held.data.items.map((h) => (
        <HeldClass key={`${h.system} ${h.class}`} held={h} />
      ))}
    </Stack>
  );
}
