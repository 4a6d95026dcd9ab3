import { Alert, Button, SimpleGrid, Stack } from "@mantine/core";
import { Link, useParams } from "react-router";
import { api } from "../../api/client";
import { count, isInstant, span } from "../../api/format";
import { sentence } from "../../api/problem";
import { Instant } from "../../parts/Instant";
import { Loading } from "../../parts/Loading";
import { Page } from "../../parts/Page";
import { Facts, Panel } from "../../parts/Panel";
import { Refusal } from "../../parts/Refusal";
import { State } from "../../parts/State";
import { UndoButton } from "../plans/UndoButton";
import { Differences } from "./Differences";
import { HeldCycle } from "./HeldCycle";
import { ProgressLine } from "./ProgressLine";

/** One read of a system, how far it is, and what came of it. */
export default function Cycle() {
  const id = Number(useParams().id);
  const { data: c, error, refetch } = api.useQuery(
    "get", "/v1/cycles/{id}", { params: { path: { id } } }, { refetchInterval: (q) => (q.state.data && q.state.data.progress.phase !== "over" ? 1_000 : false) },
  );
  if (!c) return <Page title={`Cycle ${id}`}>{error ? <Refusal error={error} onRetry={() => void refetch()} /> : <Loading />}</Page>;
  const took = isInstant(c.ended) ? span(Date.parse(c.ended) - Date.parse(c.began)) : "still reading";
  const found: [string, string][] = [["Seen", count(c.seen)], ["New or changed", count(c.changed)], ["Gone", count(c.deleted)], ["Set aside", count(c.rejected)]];
  return (
    <Page
      title={`Cycle ${c.id} of ${c.system}`} lead={<><Link to="/changes/cycles">Cycles</Link> / {c.id}</>}
      actions={<><UndoButton what={{ cycle: c.id }} about={`everything that came of cycle ${c.id}`} /><Button component={Link} to={`/changes/jobs?cycle=${c.id}`} variant="default">Jobs planned out of it</Button></>}
    >
      <Stack gap="md">
        {c.state === "held" && <HeldCycle cycle={c} />}
        {c.state === "failed" && c.reason && <Alert variant="default" color="red" title="It could not be read">{sentence(c.reason)}</Alert>}
        {c.progress.phase !== "over" && (
          <Panel title="How far it is">
            <ProgressLine of={c.progress} />
          </Panel>
        )}
        <SimpleGrid cols={{ base: 1, md: 2 }} spacing="md">
          <Panel title="The read">
            <Facts
              list={[
                ["State", <State of={c.state} />], ["System", <Link to={`/systems/${c.system}`}>{c.system}</Link>], ["Why", c.cause],
                ["Began", <Instant at={c.began} as="time" />], ["Took", took],
              ]}
            />
          </Panel>
          <Panel title="What it found">
            <Facts list={found} />
          </Panel>
        </SimpleGrid>
        <Differences list={c.differences ?? []} />
      </Stack>
    </Page>
  );
}
