import { Tabs } from "@mantine/core";
import { useNavigate, useParams } from "react-router";
import { useMay } from "../../api/me";
import { Page } from "../../parts/Page";
import { Audit } from "./Audit";
import { Log } from "./Log";
import { Merges } from "./Merges";

/** Everything that happened, and who did what. */
export default function History() {
  const { tab = "log" } = useParams();
  const go = useNavigate();
  const audit = useMay("list-audit");
  return (
    <Page title="History" lead="Every change, every decision and who made it, the latest first.">
      <Tabs value={tab} onChange={(t) => void go(t && t !== "log" ? `/history/${t}` : "/history", { replace: true })}>
        <Tabs.List mb="md">
          <Tabs.Tab value="log">What happened</Tabs.Tab>
          <Tabs.Tab value="merges">Merged and split</Tabs.Tab>
          {audit && <Tabs.Tab value="audit">Audit: who did what</Tabs.Tab>}
        </Tabs.List>
        <Tabs.Panel value="log">
          <Log />
        </Tabs.Panel>
        <Tabs.Panel value="merges">
          <Merges />
        </Tabs.Panel>
        <Tabs.Panel value="audit">
          <Audit />
        </Tabs.Panel>
      </Tabs>
    </Page>
  );
}
