import type { Schema } from "../../api/client";
import { counted } from "../../api/format";
import { State } from "../../parts/State";

type Status = Schema["Status"];

/** Everything at a glance, in a sentence. */
export function Verdict({ status }: { status: Status }) {
  const systems = status.systems ?? [];
  const agents = (status.agents ?? []).filter((a) => a.state !== "revoked");
  const failing = systems.filter((s) => s.state === "failing");
  const away = agents.filter((a) => a.state === "away");
  const waiting = (status.held ?? []).length + (status.cycles ?? []).filter((c) => c.state === "held").length;
  if (systems.length === 0 && agents.length === 0) return <>Welcome to Drawbridge</>;
  if (failing.length || away.length) {
    const parts = [
      failing.length ? `${counted(failing.length, "system fails", "systems fail")}` : "",
      away.length ? `${counted(away.length, "agent is away", "agents are away")}` : "",
    ].filter(Boolean);
    return (
      <State of="failed" tone="bad">
        {parts.join(", ")}
      </State>
    );
  }
  if (waiting > 0) {
    return (
      <State of="held" tone="warn">
        {counted(waiting, "decision waits for you", "decisions wait for you")}; everything else goes on
      </State>
    );
  }
  if (status.problems > 0) {
    return (
      <State of="held" tone="warn">
        {counted(status.problems, "account", "accounts")} cannot be made as wanted; everything else is all right
      </State>
    );
  }
  return (
    <State of="ready" tone="good">
      Everything is all right
    </State>
  );
}
