import { Button } from "@mantine/core";
import { IconPlus, IconStack2 } from "@tabler/icons-react";
import { Link } from "react-router";
import { api, type Schema } from "../../api/client";
import { count } from "../../api/format";
import { Empty } from "../../parts/Empty";
import { Instant } from "../../parts/Instant";
import { Loading } from "../../parts/Loading";
import { Page } from "../../parts/Page";
import { Panel } from "../../parts/Panel";
import { Refusal } from "../../parts/Refusal";
import { Rows, type Column } from "../../parts/Rows";
import { State } from "../../parts/State";

export const roles: Record<string, string> = { source: "source of people", target: "target", both: "source and target" };

const columns: Column<Schema["System"]>[] = [
  { head: "Name", cell: (s) => <Link to={`/systems/${s.name}`}>{s.name}</Link> },
  { head: "Health", cell: (s) => <State of={s.state}>{s.state === "waiting" ? "not heard of yet" : s.state}</State> },
  { head: "Role", cell: (s) => roles[s.role] ?? s.role },
  { head: "Connector", cell: (s) => s.connector },
  { head: "Site", cell: (s) => s.site },
  { head: "Objects", cell: (s) => count(s.accounts), align: "right" },
  { head: "Last read", cell: (s) => <Instant at={s.last?.ended ?? s.last?.began} />, align: "right" },
  { head: "Next", cell: (s) => <Instant at={s.next_read} none="not scheduled" />, align: "right", wide: true },
];

export default function Systems() {
  const { data, error, isPending, refetch } = api.useQuery("get", "/v1/systems", {});
  const add = (
    <Button component={Link} to="/systems/new" leftSection={<IconPlus size={14} aria-hidden />}>
      Add a system
    </Button>
  );
  return (
    <Page title="Systems" lead="Where people come from, and where they have accounts." actions={add}>
      <Panel flush>
        <Refusal error={error} onRetry={() => void refetch()} />
        {isPending && <Loading />}
        {data && data.items.length > 0 && <Rows label="Systems" columns={columns} rows={data.items} rowKey={(s) => s.name} linked />}
        {data?.items.length === 0 && (
          <Empty title="No system is connected yet" icon={<IconStack2 size={28} aria-hidden />}>
            Begin with the HR system that people come from, then add the directory that they shall have accounts in. <Link to="/systems/new">Add a system</Link>.
          </Empty>
        )}
      </Panel>
    </Page>
  );
}
