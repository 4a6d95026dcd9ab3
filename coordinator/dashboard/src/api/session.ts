// Who is signed in. An API token that was pasted stays in this tab alone and is
// forgotten when the tab is closed.
type Listener = () => void;

const key = "drawbridge.token";
const listeners = new Set<Listener>();
let token = sessionStorage.getItem(key) ?? "";
let expired = false;

function changed() {
  for (const l of listeners) l();
}

export const session = {
  token: () => token,
  /** Whether the coordinator has refused the last token. */
  expired: () => expired,
  headers(_method: string): Record<string, string> {
    return token ? { Authorization: `Bearer ${token}` } : {};
  },
  use(next: string) {
    token = next;
    expired = false;
    sessionStorage.setItem(key, next);
    changed();
  },
  end() {
    token = "";
    expired = false;
    sessionStorage.removeItem(key);
    changed();
  },
  lost() {
    if (!token) return;
    this.end();
    expired = true;
    changed();
  },
  subscribe(l: Listener) {
    listeners.add(l);
    return () => void listeners.delete(l);
  },
};
