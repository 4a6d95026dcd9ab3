import type { ReactNode } from "react";
import classes from "./State.module.css";

export type Tone = "good" | "warn" | "bad" | "calm" | "busy";

const tones: Record<string, Tone> = {
  // agents, systems
  connected: "good", ready: "good", away: "bad", revoked: "calm", failing: "bad",
  // people
  active: "good", future: "busy", left: "calm",
  // cycles
  reading: "busy", applied: "good", held: "warn", failed: "bad", rejected: "calm",
  // jobs
  queued: "busy", waiting: "busy", sent: "busy", rescinding: "busy", done: "good", dropped: "calm",
  // accounts
  present: "good", home: "good", missing: "warn", gone: "calm", wanted: "busy",
  // tokens
  open: "busy", used: "good", expired: "calm",
};

/** A state in a word, with a dot whose colour says whether that is well. */
export function State({ of, tone, children }: { of: string; tone?: Tone; children?: ReactNode }) {
  return (
    <span className={classes.state} data-tone={tone ?? tones[of] ?? "calm"}>
      <span className={classes.dot} aria-hidden />
      {children ?? of}
    </span>
  );
}
