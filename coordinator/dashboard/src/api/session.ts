// Who is signed in: by the cookie of a session, which scripts cannot read, or
// by an API token that was pasted. The token stays in this tab alone and is
// forgotten when the tab is closed.
type Listener = () => void;

const key = "drawbridge.token";
const listeners = new Set<Listener>();
let token = sessionStorage.getItem(key) ?? "";
let version = 0; // rises with each change of who is signed in
let ended = false;

function changed() {
  version++;
  for (const l of listeners) l();
}

export const session = {
  version: () => version,
  /** Whether the coordinator has said that the session, or the token, is over. */
  ended: () => ended,
  headers(): Record<string, string> {
    return token ? { Authorization: `Bearer ${token}` } : {};
  },
  /** Signs in by a token that was tried. */
  use(next: string) {
    token = next;
    ended = false;
    sessionStorage.setItem(key, next);
    changed();
  },
  /** Signs out; the coordinator forgets the session of a cookie. */
  async end() {
    if (!token) await fetch("/auth/sign-out", { method: "POST", headers: { Accept: "application/json" } }).catch(() => undefined);
    token = "";
    ended = false;
    sessionStorage.removeItem(key);
    changed();
  },
  /** The coordinator does not know who asks any more. */
  lost() {
    token = "";
    ended = true;
    sessionStorage.removeItem(key);
    changed();
  },
  subscribe(l: Listener) {
    listeners.add(l);
    return () => void listeners.delete(l);
  },
};
