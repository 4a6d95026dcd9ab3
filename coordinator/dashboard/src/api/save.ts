// Exports come as the coordinator makes them, row by row; they are saved as a file.
import { session } from "./session";

/** Saves what an export of the API gives; it throws the problem where that refuses. */
export async function save(path: string, query: Record<string, string | undefined>, name: string) {
  const given = Object.entries(query).filter((e): e is [string, string] => !!e[1]);
  const response = await fetch(`${path}?${new URLSearchParams(given)}`, { headers: session.headers() });
  if (!response.ok) throw await response.json().catch(() => ({ title: response.statusText }));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await response.blob());
  link.download = `drawbridge-${name}-${new Date().toISOString().slice(0, 10)}.${query.format}`;
  link.click();
  URL.revokeObjectURL(link.href);
}
