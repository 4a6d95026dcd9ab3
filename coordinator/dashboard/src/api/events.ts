// What has changed, as the coordinator tells it (server-sent events). It is
// read by fetch, because an EventSource cannot carry a token.
import { session } from "./session";

/** Calls told with the topics of which something has changed, and lost when the stream breaks, until signal ends it. */
export async function follow(told: (topics: string[]) => void, signal: AbortSignal): Promise<void> {
  const response = await fetch("/v1/events", { headers: { ...session.headers(), Accept: "text/event-stream" }, signal });
  if (response.status === 401) session.lost();
  if (!response.ok || !response.body) throw new Error(`events: ${response.status}`);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const events = (rest + value).split("\n\n");
    rest = events.pop() ?? "";
    for (const event of events) told(topicsOf(event));
  }
}

function topicsOf(event: string): string[] {
  const data = event.split("\n").filter((l) => l.startsWith("data:")).map((l) => l.slice(5)).join("\n");
  if (!data) return [];
  const { topics } = JSON.parse(data) as { topics?: string[] };
  return topics ?? [];
}
