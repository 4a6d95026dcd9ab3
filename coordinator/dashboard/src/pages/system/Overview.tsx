import { Alert, Button, SimpleGrid, Stack, Text } from "@mantine/core";
import type { ReactNode } from "react";
import { Link } from "react-router";
import { api, http, type Schema } from "../../api/client";
import { count } from "../../api/format";
import { sentence } from "../../api/problem";
import { useAction } from "../../parts/action";
import { Empty } from "../../parts/Empty";
import { Instant } from "../../parts/Instant";
import { Facts, Panel } from "../../parts/Panel";
import { Rows } from "../../parts/Rows";
import { State } from "../../parts/State";
import { cycleColumns } from "../cycles/CycleList";
import { Exchange, SystemProblems } from "../problems/Problems";
import { ModeLine } from "./ModeLine";
import { TestPanel, useTest } from "./TestPanel";

type Detail = Schema["SystemDetail"];

/** Reads the system anew, as somebody does who has mended what was set aside. */
export const useRead = (name: string) =>
  useAction(() => http.POST("/v1/systems/{name}/run", { params: { path: { name } }, body: {} }), { done: (d) => `Cycle ${d.cycle} has begun.` });

function ReadAgain({ system }: { system: string }) {
  const read = useRead(system);
  return (
    <Button variant="default" loading={read.isPending} onClick={() => read.mutate(undefined)}>
      Mended: read it again
    </Button>
  );
}

/** How a system is: health, schedule, what was set aside, the latest reads. */
export function Overview({ system: s }: { system: Detail }) {
  const cycles = api.useQuery("get", "/v1/cycles", { params: { query: { system: s.name, limit: 10 } } });
  const test = useTest(s.name);
  return (
    <Stack gap="md">
      {s.fault && (
        <Alert variant="default" color="red" title={sentence(s.fault.cause)}>
          {s.fault.next_step && sentence(s.fault.next_step)}
          {s.fault.raw && (
            <Text fz="xs" c="dimmed" mt={4} className="mono">
              {s.fault.raw}
            </Text>
          )}
          <Exchange job={s.check_job} />
          {s.next_try && (
            <Text fz="xs" c="dimmed" mt={4}>
              Tried again by itself <Instant at={s.next_try} />
            </Text>
          )}
        </Alert>
      )}
      <SimpleGrid cols={{ base: 1, md: 2 }} spacing="md">
        <Panel title="Health">
          <Facts
            list={[
              ["State", <State of={s.state}>{s.state === "waiting" ? "no agent has told yet" : s.state}</State>],
              ...(s.mode ? [["Written to", <ModeLine system={s} />] as [string, ReactNode]] : []),
              ["Checked", s.checked ? <><Instant at={s.checked} /> from end to end, worked <Instant at={s.good} none="never" /></> : "not yet"],
              ["Objects known", count(s.accounts)],
              ["Jobs waiting", count(s.waiting)],
              ["At a time", s.parallel ? `${count(s.parallel)} operations, as the agent found best` : "not told"],
              ["Schema", <>{s.schema_at ? <>read <Instant at={s.schema_at} /></> : "not read yet"}{s.classes?.length ? `: ${s.classes.join(", ")}` : ""}</>],
            ]}
          />
        </Panel>
        <Panel title="Schedule">
          <Facts
            list={[
              ["Last read", s.last ? <><Instant at={s.last.ended ?? s.last.began} /> (<Link to={`/cycles/${s.last.id}`}>cycle {s.last.id}</Link>)</> : "never"],
              ["Result", s.last ? <State of={s.last.state} /> : ""],
              ["Next read", <Instant at={s.next_read} none="not scheduled" />],
            ]}
          />
        </Panel>
      </SimpleGrid>
      <TestPanel test={test} />
      <SystemProblems system={s.name} />
      {(s.rejects ?? []).length > 0 && (
        <Panel title={`Set aside by the latest read (${s.rejects?.length})`} flush actions={<ReadAgain system={s.name} />}>
          <Rows
            label="Set aside" rows={s.rejects ?? []} rowKey={(r) => `${r.place} ${r.object} ${r.reason}`}
            columns={[{ head: "Where", cell: (r) => r.place, width: 200 }, { head: "Object", cell: (r) => r.object ?? "", width: 160 }, { head: "Why, and how to mend it", cell: (r) => sentence(r.reason) }]}
          />
        </Panel>
      )}
      <Panel title="Latest cycles" flush>
        {cycles.data && cycles.data.items.length > 0 && <Rows label="Latest cycles" columns={cycleColumns.filter((c) => c.head !== "System")} rows={cycles.data.items} rowKey={(c) => c.id} linked />}
        {cycles.data?.items.length === 0 && <Empty title="Not read yet">It is read as soon as an agent of {s.site} serves it.</Empty>}
      </Panel>
    </Stack>
  );
}
