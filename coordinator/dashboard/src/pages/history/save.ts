import { http } from "../../api/client";

/** Saves what matches as a table that spreadsheets read. */
export async function save(filter: { system?: string; kind?: string; person?: string }) {
  const { data, error } = await http.GET("/v1/log", { params: { query: { ...filter, limit: 10_000 } } });
  if (error) throw error;
  const rows = [["at", "kind", "system", "person", "account", "job", "text"], ...data.items.map((e) => [e.at, e.kind, e.system, e.person, e.account, e.job, e.text])];
  const text = rows.map((r) => r.map(cell).join(",")).join("\r\n");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(["\ufeff", text], { type: "text/csv" }));
  link.download = `drawbridge-history-${new Date().toISOString().slice(0, 10)}.csv`;
  link.click();
  URL.revokeObjectURL(link.href);
}

/** RFC 4180; a cell that a spreadsheet would take for a formula is made text. */
function cell(value: unknown) {
  let s = value === undefined || value === null ? "" : String(value);
  if (/^[=+\-@\t]/.test(s)) s = `'${s}`;
  return /[",\r\n]/.test(s) ? `"${s.replaceAll('"', '""')}"` : s;
}
