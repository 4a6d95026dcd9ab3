import { Text } from "@mantine/core";
import { api } from "../../api/client";
import { count, counted } from "../../api/format";
import { Instant } from "../../parts/Instant";
import { Loading } from "../../parts/Loading";
import { Panel } from "../../parts/Panel";
import { Refusal } from "../../parts/Refusal";
import { Rows } from "../../parts/Rows";

const names: Record<string, string> = {
  jobs: "Jobs that have ended", answers: "Answers to jobs", history: "History", cycles: "Cycles", plans: "Decided plans", deliveries: "Deliveries of notifications", audit: "Audit",
};

const day = 86_400;
const kept = (seconds: number) => (seconds === 0 ? "for ever" : seconds % day === 0 ? counted(seconds / day, "day") : counted(Math.round(seconds / 3600), "hour"));

/** For how long what happened is kept. */
export function Kept() {
  const { data, error } = api.useQuery("get", "/v1/retention");
  return (
    <Panel title="What is kept, and for how long" flush>
      <Text px={14} py={10} fz="sm" c="dimmed">
        What is older is removed in small steps, once an hour. People, accounts and what waits for a decision stay. The setting keep of the coordinator says how long.
      </Text>
      <Refusal error={error} />
      {!data && !error && <Loading />}
      {data && (
        <Rows
          label="What is kept" rows={data.items} rowKey={(r) => r.name}
          columns={[
            { head: "What", cell: (r) => names[r.name] ?? r.name },
            { head: "Kept", cell: (r) => kept(r.kept) },
            { head: "Oldest", cell: (r) => <Instant at={r.oldest} none="nothing yet" />, align: "right" },
            { head: "Removed so far", cell: (r) => count(r.removed), align: "right" },
            { head: "Last looked", cell: (r) => <Instant at={r.looked} none={r.kept === 0 ? "not needed" : "not yet"} />, align: "right" },
          ]}
        />
      )}
    </Panel>
  );
}
