import { type Query, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { follow } from "../api/events";

// What is to be asked for anew when something of a topic has changed.
const paths: Record<string, string[]> = {
  agents: ["/v1/agents", "/v1/sites", "/v1/connectors", "/v1/join-tokens"],
  cycles: ["/v1/cycles", "/v1/systems"],
  held: ["/v1/held", "/v1/plans", "/v1/drift"],
  jobs: ["/v1/jobs", "/v1/held", "/v1/plans", "/v1/systems/{name}/test", "/v1/people/{key}", "/v1/series", "/v1/cycles/{id}"],
  log: ["/v1/log", "/v1/people/{key}/timeline", "/v1/drift"],
  passwords: ["/v1/passwords"],
  people: ["/v1/people"],
  problems: ["/v1/problems"],
  systems: ["/v1/systems"],
};
const always = ["/v1/home", "/v1/status"];

/** Keeps what is shown up to date: nothing is asked for while nothing happens. */
export function Live() {
  const queries = useQueryClient();
  useEffect(() => {
    const stop = new AbortController();
    const told = (topics: string[]) => {
      if (topics.length === 0) return;
      const about = [...always, ...topics.flatMap((t) => paths[t] ?? [])];
      void queries.invalidateQueries({ predicate: (q) => about.some((p) => pathOf(q).startsWith(p)) });
    };
    void keep(told, () => queries.invalidateQueries(), stop.signal);
    return () => stop.abort();
  }, [queries]);
  return null;
}

const pathOf = (q: Query) => String(q.queryKey.find((k) => typeof k === "string" && k.startsWith("/")) ?? "");

/** Follows the events and, when the stream breaks, comes again and looks at everything. */
async function keep(told: (topics: string[]) => void, again: () => unknown, signal: AbortSignal) {
  for (let tries = 0; !signal.aborted; tries++) {
    try {
      await follow((topics) => {
        tries = 0;
        told(topics);
      }, signal);
    } catch {
      // no answer, or none of a coordinator: tried again below
    }
    await pause(Math.min(1000 * 2 ** tries, 30_000), signal);
    if (!signal.aborted) again();
  }
}

const pause = (ms: number, signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
