import { Text } from "@mantine/core";
import { Link } from "react-router";
import type { Schema } from "../../api/client";
import { count } from "../../api/format";
import { Rows } from "../../parts/Rows";
import { State } from "../../parts/State";

/** What would be done in a target, by class of change. */
export function ClassForecasts({ target: t }: { target: Schema["TargetForecast"] }) {
  return (
    <Rows
      label={`Changes in ${t.system}`} rows={t.classes} rowKey={(c) => c.class}
      columns={[
        { head: "Change", cell: (c) => c.class, width: 130 },
        { head: "In", cell: () => t.system, width: 130 },
        { head: "People", cell: (c) => count(c.people), align: "right", width: 90 },
        { head: "No longer", cell: (c) => (c.fewer ? count(c.fewer) : ""), align: "right", width: 90 },
        { head: "Then", cell: (c) => (c.held ? <State of="held">waits for approval (threshold {c.limit})</State> : <State of="ready">goes at once</State>) },
        { head: "Such as", cell: (c) => <Such list={c.examples} /> },
      ]}
    />
  );
}

/** What becomes of attributes. */
export function AttributeForecasts({ label, list }: { label: string; list: Schema["AttributeForecast"][] }) {
  if (list.length === 0) return null;
  return (
    <Rows
      label={label} rows={list} rowKey={(a) => a.attribute}
      columns={[
        { head: label, cell: (a) => <span className="mono">{a.attribute}</span>, width: 260 },
        { head: "Get a value", cell: (a) => count(a.gain), align: "right", width: 100 },
        { head: "Get another", cell: (a) => count(a.change), align: "right", width: 100 },
        { head: "Lose it", cell: (a) => (a.lose ? <Text span c="var(--bad)" fz="sm">{count(a.lose)}</Text> : "0"), align: "right", width: 90 },
        { head: "Such as", cell: (a) => <Such list={a.examples} /> },
      ]}
    />
  );
}

function Such({ list }: { list: Schema["Affected"][] }) {
  const [e] = list;
  if (!e) return null;
  return (
    <>
      <Link to={`/people/${encodeURIComponent(e.person)}`}>{e.display || e.person}</Link>
      {(e.before?.length ?? 0) + (e.after?.length ?? 0) > 0 && (
        <Text span c="dimmed" fz="sm">
          {" "}
          {e.before?.join(", ") || "nothing"} → {e.after?.join(", ") || "nothing"}
        </Text>
      )}
    </>
  );
}
