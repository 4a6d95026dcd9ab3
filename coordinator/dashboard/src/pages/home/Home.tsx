import { SimpleGrid, Stack } from "@mantine/core";
import { count, counted } from "../../api/format";
import { useStatus } from "../../api/status";
import { Loading } from "../../parts/Loading";
import { Page } from "../../parts/Page";
import { Refusal } from "../../parts/Refusal";
import { Attention } from "./Attention";
import { Figure } from "./Figure";
import { Recent } from "./Recent";
import { FirstSteps } from "./FirstSteps";
import { Verdict } from "./Verdict";
import { SystemsNow } from "./SystemsNow";

/** Is everything all right, and what waits for me? */
export default function Home() {
  const { data: status, error, refetch } = useStatus();
  return (
    <Page title="Home" heading={status ? <Verdict status={status} /> : undefined}>
      <Stack gap="md">
        <Refusal error={error} onRetry={() => void refetch()} />
        {!status && !error && <Loading />}
        {status && (
          <>
            <FirstSteps status={status} />
            <SimpleGrid cols={{ base: 2, md: 4 }} spacing="md">
              <Figure label="People" value={count(status.people)} to="/people" note={status.due > 0 ? `${count(status.due)} being looked at` : "all looked at"} />
              <Figure
                label="Systems" value={count(status.systems?.length)} to="/systems"
                note={counted((status.systems ?? []).filter((s) => s.state === "failing").length, "fails", "fail")}
                bad={(status.systems ?? []).some((s) => s.state === "failing")}
              />
              <Figure
                label="Agents connected" to="/agents"
                value={`${count((status.agents ?? []).filter((a) => a.state === "connected").length)} of ${count((status.agents ?? []).filter((a) => a.state !== "revoked").length)}`}
                note="of those enrolled" bad={(status.agents ?? []).some((a) => a.state === "away")}
              />
              <Figure label="Jobs under way" to="/changes/jobs" value={count(Object.values(status.jobs).reduce((a, b) => a + b, 0))} note={`${count(status.alarms)} due by date`} />
            </SimpleGrid>
            <Attention status={status} />
            <SimpleGrid cols={{ base: 1, md: 2 }} spacing="md">
              <SystemsNow systems={status.systems ?? []} />
              <Recent />
            </SimpleGrid>
          </>
        )}
      </Stack>
    </Page>
  );
}

