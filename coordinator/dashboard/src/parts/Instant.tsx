import { useSyncExternalStore } from "react";
import { exact, isInstant, relative, shortInstant } from "../api/format";

let now = Date.now();
const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

// One clock for the page, which stands still while nothing looks at it.
function subscribe(l: () => void) {
  listeners.add(l);
  timer ??= setInterval(() => {
    now = Date.now();
    for (const each of listeners) each();
  }, 5_000);
  return () => {
    listeners.delete(l);
    if (listeners.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}

const useNow = () => useSyncExternalStore(subscribe, () => now);

/** An instant as "3 min ago", or as time of day; the exact one, with its zone, on hover. */
export function Instant({ at, as = "relative", none = "never" }: { at: string | undefined; as?: "relative" | "time"; none?: string }) {
  useNow();
  if (!isInstant(at)) return <span>{none}</span>;
  const date = new Date(at);
  return (
    <time dateTime={at} title={exact(date)} className="num" style={{ whiteSpace: "nowrap" }}>
      {as === "time" ? shortInstant(date, Date.now()) : relative(date, Date.now())}
    </time>
  );
}
