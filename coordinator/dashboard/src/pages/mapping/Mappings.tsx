import { IconArrowsShuffle } from "@tabler/icons-react";
import { Link } from "react-router";
import { api } from "../../api/client";
import { Empty } from "../../parts/Empty";
import { Instant } from "../../parts/Instant";
import { Loading } from "../../parts/Loading";
import { Page } from "../../parts/Page";
import { Panel } from "../../parts/Panel";
import { Refusal } from "../../parts/Refusal";
import { Rows } from "../../parts/Rows";

const directions: Record<string, string> = { source: "system → people", target: "people → system", both: "both ways" };

/** The mappings of all systems. */
export default function Mappings() {
  const { data, error, isPending } = api.useQuery("get", "/v1/systems");
  return (
    <Page title="Mappings" lead="What is made of what: the rules of each system, tried on a real person while they are written.">
      <Panel flush>
        <Refusal error={error} />
        {isPending && <Loading />}
        {data && data.items.length > 0 && (
          <Rows
            label="Mappings" rows={data.items} rowKey={(s) => s.name} linked
            columns={[
              { head: "System", cell: (s) => <Link to={`/systems/${s.name}/mapping`}>{s.name}</Link> },
              { head: "Direction", cell: (s) => directions[s.role] ?? s.role },
              { head: "Connector", cell: (s) => s.connector },
              { head: "Revision", cell: (s) => s.revision, align: "right" },
              { head: "Applied", cell: (s) => <Instant at={s.applied} />, align: "right" },
            ]}
          />
        )}
        {data?.items.length === 0 && (
          <Empty title="No mapping yet" icon={<IconArrowsShuffle size={28} aria-hidden />}>
            A mapping belongs to a system. <Link to="/systems/new">Add a system</Link> first.
          </Empty>
        )}
      </Panel>
    </Page>
  );
}
