import { SimpleGrid, Stack } from "@mantine/core";
import { count, counted, span } from "../../api/format";
import { useHome } from "../../api/status";
import { Loading } from "../../parts/Loading";
import { Page } from "../../parts/Page";
import { Refusal } from "../../parts/Refusal";
import { State } from "../../parts/State";
import { Attention } from "./Attention";
import { ChangesPlot } from "./ChangesPlot";
import { DelayPlot } from "./DelayPlot";
import { Figure } from "./Figure";
import { FirstSteps } from "./FirstSteps";
import { Recent } from "./Recent";
import { Running } from "./Running";

/** Is everything all right, and what waits for me? */
export default function Home() {
  const { data: home, error, refetch } = useHome();
  return (
    <Page title="Home" heading={home && <Verdict of={home} />}>
      <Stack gap="md">
        <Refusal error={error} onRetry={() => void refetch()} />
        {!home && !error && <Loading />}
        {home && (
          <>
            <FirstSteps agents={home.agents.all} />
            <SimpleGrid cols={{ base: 2, md: 4 }} spacing="md">
              <Figure label="People" value={count(home.people)} to="/people" note={home.due > 0 ? `${count(home.due)} being looked at` : `${count(home.alarms)} changes ahead by date`} />
              <Figure
                label="Systems" value={count(home.systems.all)} to="/systems" bad={home.systems.failing > 0}
                note={home.systems.failing > 0 ? counted(home.systems.failing, "fails", "fail") : "all in order"}
              />
              <Figure
                label="Agents" value={count(home.agents.connected)} to="/agents" bad={home.agents.away > 0}
                note={home.agents.away > 0 ? `connected; ${count(home.agents.away)} away` : "connected"}
              />
              <Figure
                label="From HR to directory" value={home.delay ? span(home.delay.median * 1000) : "–"} to="/history"
                note={home.delay ? `median of an hour; 95 % in ${span(home.delay.p95 * 1000)}` : "no change in the last hour"}
              />
            </SimpleGrid>
            <Attention home={home} />
            <Running cycles={home.cycles ?? []} />
            <SimpleGrid cols={{ base: 1, md: 2 }} spacing="md">
              <ChangesPlot today={home.today ?? []} />
              <DelayPlot />
            </SimpleGrid>
            <Recent />
          </>
        )}
      </Stack>
    </Page>
  );
}

const verdicts = {
  good: { tone: "good", text: "Everything is all right" },
  attention: { tone: "warn", text: "Something waits for you; everything else goes on" },
  bad: { tone: "bad", text: "Something does not work" },
} as const;

function Verdict({ of: home }: { of: NonNullable<ReturnType<typeof useHome>["data"]> }) {
  if (home.systems.all + home.agents.all === 0) return <>Welcome to Drawbridge</>;
  const { tone, text } = verdicts[home.verdict];
  return (
    <State of={home.verdict} tone={tone}>
      {text}
    </State>
  );
}
