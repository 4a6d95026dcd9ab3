import { Link } from "react-router";
import type { Schema } from "../../api/client";
import { count } from "../../api/format";
import { Empty } from "../../parts/Empty";
import { Panel } from "../../parts/Panel";
import { Rows } from "../../parts/Rows";
import { State } from "../../parts/State";

/** What a cycle wants changed, by target and kind. */
export function Differences({ list }: { list: Schema["Difference"][] }) {
  return (
    <Panel title="What differs, by kind" flush>
      {list.length === 0 ? (
        <Empty title="Nothing">Everything was as it should be, or is not planned yet.</Empty>
      ) : (
        <Rows
          label="Differences by kind" rows={list} rowKey={(d) => `${d.system} ${d.class}`}
          columns={[
            { head: "Change", cell: (d) => d.class },
            { head: "In", cell: (d) => d.system },
            { head: "Planned", cell: (d) => count(d.planned), align: "right" },
            { head: "Done", cell: (d) => count(d.done), align: "right" },
            { head: "Failed", cell: (d) => count(d.failed), align: "right" },
            { head: "Waiting", cell: (d) => (d.held ? <Link to="/changes"><State of="held">{count(d.held)} for approval</State></Link> : ""), align: "right" },
          ]}
        />
      )}
    </Panel>
  );
}
