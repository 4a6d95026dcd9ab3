import { Link } from "react-router";
import { api } from "../../api/client";
import { Empty } from "../../parts/Empty";
import { Instant } from "../../parts/Instant";
import { Panel } from "../../parts/Panel";
import { Refusal } from "../../parts/Refusal";
import { Rows } from "../../parts/Rows";
import { State } from "../../parts/State";

/** What lets agents join, and what became of it. */
export function JoinTokens() {
  const { data, error } = api.useQuery("get", "/v1/join-tokens");
  return (
    <Panel title="Join tokens of agents" flush>
      <Refusal error={error} />
      {data && data.items.length > 0 && (
        <Rows
          label="Join tokens" rows={data.items} rowKey={(t) => t.id}
          columns={[
            { head: "Site", cell: (t) => t.site },
            { head: "State", cell: (t) => <State of={t.state} /> },
            { head: "Used by", cell: (t) => t.used_by || "" },
            { head: "Made", cell: (t) => <Instant at={t.made} />, align: "right" },
            { head: "Good until", cell: (t) => <Instant at={t.expires} />, align: "right" },
          ]}
        />
      )}
      {data?.items.length === 0 && (
        <Empty title="No agent was invited yet">
          <Link to="/agents?enrol=1">Enrol an agent</Link>
        </Empty>
      )}
    </Panel>
  );
}
