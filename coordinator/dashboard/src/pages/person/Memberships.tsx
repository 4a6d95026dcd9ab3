import { Text } from "@mantine/core";
import { Link } from "react-router";
import type { Schema } from "../../api/client";
import { sentence } from "../../api/problem";
import { Rows, type Column } from "../../parts/Rows";
import { State } from "../../parts/State";
import { RuleLine } from "./Origin";

type Membership = Schema["Membership"];
type Stranger = Schema["Stranger"];

const states = {
  wanted: { label: "as wanted", tone: "good" },
  missing: { label: "is put in", tone: "busy" },
  leaving: { label: "is taken out", tone: "busy" },
  others: { label: "others\u2019 matter", tone: "calm" },
  let: { label: "let be", tone: "calm" },
} as const;

const columns: Column<Membership>[] = [
  { head: "Group", cell: (m) => <>{m.from ? <Link to={`/people/${encodeURIComponent(m.from)}`}>{m.group}</Link> : m.group}<Text fz="xs" c="dimmed">{m.authoritative ? "only members by rule" : "others may add to it"}</Text></>, width: 190 },
  { head: "The account is", cell: (m) => (m.in ? "in it" : "not in it"), width: 110 },
  { head: "State", cell: (m) => <State of={m.state} tone={states[m.state].tone}>{states[m.state].label}</State>, width: 130 },
  { head: "Why", cell: (m) => <>{sentence(m.why)}{m.rule && <div><RuleLine rule={m.rule} /></div>}</>, width: 320 },
];

const strange: Column<Stranger>[] = [
  { head: "In it, and nobody\u2019s", cell: (s) => <span className="mono">{s.address || s.id}</span>, width: 320 },
  { head: "Class", cell: (s) => s.class, width: 110 },
  { head: "What becomes of it", cell: (s) => (s.leaves ? "It is taken out: only members by rule remain." : "It is left alone."), width: 260 },
];

/** Every group of an account: what is wanted, what is, and what others did; and of a group, who in it is nobody's. */
export function Memberships({ account: a }: { account: Schema["Account"] }) {
  return (
    <>
      {(a.groups ?? []).length > 0 && <Rows label={`Groups in ${a.system}`} columns={columns} rows={a.groups ?? []} rowKey={(m) => m.id || m.group} />}
      {(a.strangers ?? []).length > 0 && <Rows label={`Strangers in ${a.system}`} columns={strange} rows={a.strangers ?? []} rowKey={(s) => s.id} />}
    </>
  );
}
