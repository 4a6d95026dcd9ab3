// Where the coordinator takes something only with a reason, the person is asked
// for one, and it is asked for anew with that.
import type { Middleware } from "openapi-fetch";
import { problemOf } from "./problem";

type Answer = (reason: string | undefined) => void;

const listeners = new Set<() => void>();
let waiting: Answer | undefined;

function put(answer: Answer | undefined) {
  waiting = answer;
  for (const l of listeners) l();
}

export const question = {
  subscribe(l: () => void) {
    listeners.add(l);
    return () => void listeners.delete(l);
  },
  open: () => waiting !== undefined,
  /** Gives the reason; none: it is not done. */
  answer(reason: string | undefined) {
    waiting?.(reason);
    put(undefined);
  },
};

/** The header that carries a reason, in ASCII. */
export const reasonHeader = (reason: string): Record<string, string> => (reason.trim() ? { "X-Reason": encodeURIComponent(reason.trim()) } : {});

const asked = new Map<string, Request>(); // by the client's id: a request can be sent once only

export const reasons: Middleware = {
  onRequest({ request, id }) {
    if (request.method !== "GET") asked.set(id, request.clone());
  },
  async onResponse({ response, id }) {
    const again = asked.get(id);
    asked.delete(id);
    if (!again || response.status !== 422) return;
    const { errors } = problemOf(await response.clone().json());
    if (!errors?.some((f) => f.location === "header.X-Reason")) return;
    const reason = await new Promise<string | undefined>(put);
    if (!reason) return;
    for (const [name, value] of Object.entries(reasonHeader(reason))) again.headers.set(name, value);
    return fetch(again);
  },
  onError({ id }) {
    asked.delete(id);
  },
};
