import { Tabs } from "@mantine/core";
import { useNavigate, useParams } from "react-router";
import { useHome } from "../../api/status";
import { Page } from "../../parts/Page";
import { CycleList } from "./CycleList";
import { Drift } from "../drift/Drift";
import { Jobs } from "./Jobs";
import { Waiting } from "./Waiting";

/** What is about to change, what waits for a person, and what was read. */
export default function Cycles() {
  const { tab = "waiting" } = useParams();
  const go = useNavigate();
  const { data } = useHome();
  const waiting = (data?.held?.length ?? 0) + (data?.waiting.held_cycles ?? 0);
  return (
    <Page title="Changes" lead="Each system is read in cycles; what differs is planned as jobs. Dangerous classes of change wait here, everything else goes on.">
      <Tabs value={tab} onChange={(t) => void go(t === "waiting" || !t ? "/changes" : `/changes/${t}`, { replace: true })}>
        <Tabs.List mb="md">
          <Tabs.Tab value="waiting">Waiting for approval{waiting ? ` (${waiting})` : ""}</Tabs.Tab>
          <Tabs.Tab value="cycles">Cycles</Tabs.Tab>
          <Tabs.Tab value="jobs">Jobs</Tabs.Tab>
          <Tabs.Tab value="drift">Drift</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="waiting">
          <Waiting />
        </Tabs.Panel>
        <Tabs.Panel value="cycles">
          <CycleList />
        </Tabs.Panel>
        <Tabs.Panel value="jobs">
          <Jobs />
        </Tabs.Panel>
        <Tabs.Panel value="drift">
          <Drift />
        </Tabs.Panel>
      </Tabs>
    </Page>
  );
}
