import { Button, Loader, Text } from "@mantine/core";
import { IconCircleCheck, IconCircleX } from "@tabler/icons-react";
import { api, http, type Schema } from "../../api/client";
import { problemOf, sentence } from "../../api/problem";
import { span } from "../../api/format";
import { useAction } from "../../parts/action";
import { May } from "../../parts/May";
import { Instant } from "../../parts/Instant";
import { Panel } from "../../parts/Panel";
import { Refusal } from "../../parts/Refusal";
import classes from "../wizard/Wizard.module.css";

const under = (t: Schema["TestRun"] | undefined) => t?.state === "queued" || t?.state === "sent";

/** The latest test of a system's connection, and a new one. */
export function useTest(name: string) {
  const params = { path: { name } };
  const latest = api.useQuery("get", "/v1/systems/{name}/test", { params }, { refetchInterval: (q) => (under(q.state.data) ? 500 : false) });
  const start = useAction(() => http.POST("/v1/systems/{name}/test", { params }), { quiet: true });
  const none = problemOf(latest.error).status === 404;
  return { latest: latest.data, error: start.error ?? (none ? undefined : latest.error), busy: start.isPending || under(latest.data), start: () => start.mutate(undefined) };
}

/** Tests the connection, and shows what came of each step. */
export function TestPanel({ test }: { test: ReturnType<typeof useTest> }) {
  const t = test.latest;
  const button = (
    <May operation="test-system">
      <Button size="xs" onClick={test.start} loading={test.busy} variant={t?.outcome === "DONE" ? "default" : "filled"}>
        Test the connection
      </Button>
    </May>
  );
  return (
    <Panel title="Connection" actions={button}>
      <div role="status">
        <Refusal error={test.error} />
        {!t && !test.error && <Text fz="sm" c="dimmed">It was not tested yet: a test names each step, and what to mend where one fails.</Text>}
        {t && (
          <>
            <Text fz="sm" mb="xs" fw={550}>
              {test.busy ? "The agent is testing it …" : t.outcome === "DONE" ? "The connection works" : "The connection does not work yet"}{" "}
              <Text span c="dimmed" fz="xs" fw={400}>
                <Instant at={t.ended ?? t.made} />
              </Text>
            </Text>
            <ol className={classes.steps}>
              {(t.steps ?? []).map((s) => (
                <Step key={s.name} step={s} />
              ))}
              {test.busy && (
                <li className={classes.step}>
                  <Loader size={14} /> waits for the agent
                </li>
              )}
              {t.fault && <FaultStep fault={t.fault} />}
            </ol>
          </>
        )}
      </div>
    </Panel>
  );
}

function Step({ step: s }: { step: Schema["TestStep"] }) {
  const good = s.outcome === "DONE";
  return (
    <li className={classes.step}>
      {good ? <IconCircleCheck size={17} color="var(--good)" aria-label="works" /> : <IconCircleX size={17} color="var(--bad)" aria-label="fails" />}
      <span>{sentence(s.name)}</span>
      <span className={classes.took}>{span(s.took * 1000)}</span>
      {s.detail && <span className={classes.detail}>{s.detail}</span>}
      {s.fault && <span className={classes.detail}>{sentence(s.fault.cause)} {s.fault.next_step}</span>}
    </li>
  );
}

function FaultStep({ fault }: { fault: Schema["Trouble"] }) {
  return (
    <li className={classes.step}>
      <IconCircleX size={17} color="var(--bad)" aria-label="fails" />
      <span>{sentence(fault.cause)}</span>
      <span />
      {fault.next_step && <span className={classes.detail}>{sentence(fault.next_step)}</span>}
    </li>
  );
}
