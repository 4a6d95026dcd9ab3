import { Link } from "react-router";
import type { Schema } from "../../api/client";
import { count } from "../../api/format";
import { Empty } from "../../parts/Empty";
import { Instant } from "../../parts/Instant";
import { Panel } from "../../parts/Panel";
import { Rows } from "../../parts/Rows";
import { State } from "../../parts/State";

/** The systems as they are now. */
export function SystemsNow({ systems }: { systems: Schema["System"][] }) {
  return (
    <Panel title="Systems" actions={<Link to="/systems">See all</Link>} flush>
      {systems.length === 0 ? (
        <Empty title="No system yet">
          <Link to="/systems/new">Add a system</Link>
        </Empty>
      ) : (
        <Rows
          label="Systems now" rows={systems.slice(0, 8)} rowKey={(s) => s.name} linked
          columns={[
            { head: "Name", cell: (s) => <Link to={`/systems/${s.name}`}>{s.name}</Link> },
            { head: "Health", cell: (s) => <State of={s.state} /> },
            { head: "Objects", cell: (s) => count(s.accounts), align: "right" },
            { head: "Last read", cell: (s) => <Instant at={s.last?.ended ?? s.last?.began} />, align: "right" },
          ]}
        />
      )}
    </Panel>
  );
}
