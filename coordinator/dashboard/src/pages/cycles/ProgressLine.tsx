import { Progress, Text } from "@mantine/core";
import type { Schema } from "../../api/client";
import { count, span } from "../../api/format";

type P = Schema["Progress"];

const phases: Record<P["phase"], string> = {
  waiting: "Waits for an agent to begin", reading: "Reading", planning: "Looking at the people whom it concerns", writing: "Writing", over: "Over",
};

/** How far a cycle is, with rate and time left. */
export function ProgressLine({ of: p }: { of: P }) {
  const [done, all] = p.phase === "writing" || p.phase === "over" ? [p.ended, p.planned] : [p.seen, p.expected];
  const share = all ? Math.min(100, (100 * done) / all) : undefined;
  const what = p.phase === "writing" || p.phase === "over" ? "jobs" : "objects";
  return (
    <>
      <Text fz="sm" c="dimmed" className="num" mb={4}>
        {phases[p.phase]}
        {(done > 0 || all) && `: ${count(done)}${all ? ` of ${count(all)}` : ""} ${what}`}
        {p.rate ? `, ${count(Math.round(p.rate))} a second` : ""}
        {p.left ? `, ${span(p.left * 1000)} left` : ""}
      </Text>
      {p.phase !== "over" && <Progress value={share ?? 100} animated={share === undefined} size="sm" aria-label={phases[p.phase]} />}
    </>
  );
}
