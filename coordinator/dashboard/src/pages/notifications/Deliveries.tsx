import { Button, Drawer, Stack, Text } from "@mantine/core";
import { useState } from "react";
import { http, type Schema } from "../../api/client";
import { span } from "../../api/format";
import { sentence } from "../../api/problem";
import { useAction } from "../../parts/action";
import { Empty } from "../../parts/Empty";
import { Exact } from "../../parts/Exact";
import { Instant } from "../../parts/Instant";
import { Loading } from "../../parts/Loading";
import { May } from "../../parts/May";
import { More } from "../../parts/More";
import { Facts, Panel } from "../../parts/Panel";
import { usePages } from "../../parts/pages";
import { Refusal } from "../../parts/Refusal";
import { Rows } from "../../parts/Rows";
import { State } from "../../parts/State";

type Delivery = Schema["Delivery"];

const tones = { delivered: "good", waiting: "busy", failed: "bad" } as const;
const unsettled = 2_000; // milliseconds between looks while something is on its way

/** What was posted to a webhook, with the exact request and answer of the last try. */
export function Deliveries({ hook }: { hook: string }) {
  const sent = usePages<Delivery>(["/v1/webhooks/{id}/deliveries", hook], (cursor, signal) =>
    http.GET("/v1/webhooks/{id}/deliveries", { params: { path: { id: hook }, query: { cursor, limit: 50 } }, signal }),
    (list) => (list.some((d) => d.state === "waiting") ? unsettled : false),
  );
  const [shown, setShown] = useState<string>();
  const d = sent.list.find((x) => x.id === shown);
  return (
    <Panel title="Deliveries" flush>
      <Refusal error={sent.error} />
      {sent.isPending && <Loading rows={3} />}
      {sent.list.length > 0 && (
        <Rows
          label="Deliveries" rows={sent.list} rowKey={(x) => x.id}
          columns={[
            { head: "Event", cell: (x) => <Button variant="subtle" size="compact-xs" ml={-8} onClick={() => setShown(x.id)} aria-label={`Request and answer of ${x.kind}`}>{x.kind}</Button> },
            { head: "State", cell: (x) => <State of={x.state} tone={tones[x.state]} /> },
            { head: "Answer", cell: (x) => (x.status ? `HTTP ${x.status}` : x.tries ? "none" : "") },
            { head: "Tries", cell: (x) => x.tries, align: "right" },
            { head: "Took", cell: (x) => (x.tries ? span((x.took ?? 0) * 1000) : ""), align: "right" },
            { head: "Happened", cell: (x) => <Instant at={x.made} as="time" />, align: "right" },
            { head: "Next try", cell: (x) => (x.state === "waiting" ? <Instant at={x.next} /> : ""), align: "right" },
          ]}
        />
      )}
      <More of={sent} label="Show earlier" />
      {sent.isSuccess && sent.list.length === 0 && <Empty title="Nothing was posted yet">Post a test event to see whether it arrives.</Empty>}
      <Drawer opened={d !== undefined} onClose={() => setShown(undefined)} position="right" size="xl" title={<Text fw={600}>{d?.kind}</Text>} closeButtonProps={{ "aria-label": "Close" }}>
        {d && <Detail hook={hook} of={d} />}
      </Drawer>
    </Panel>
  );
}

function Detail({ hook, of: d }: { hook: string; of: Delivery }) {
  const again = useAction(() => http.POST("/v1/webhooks/{id}/deliveries/{delivery}/again", { params: { path: { id: hook, delivery: d.id } } }), { done: "It is posted once more." });
  return (
    <Stack gap="md">
      <Facts
        list={[
          ["Event", <span className="mono">{d.id}</span>],
          ["State", <State of={d.state} tone={tones[d.state]} />],
          ["Happened", <Instant at={d.made} as="time" />],
          ["Tries", String(d.tries)],
          ...(d.state === "waiting" ? ([["Next try", <Instant at={d.next} />]] as [string, React.ReactNode][]) : []),
          ...(d.detail ? ([["What came of it", sentence(d.detail)]] as [string, React.ReactNode][]) : []),
        ]}
      />
      <May operation="deliver-again">
        <div>
          <Button variant="default" loading={again.isPending} onClick={() => again.mutate(undefined)}>
            Post it once more
          </Button>
        </div>
      </May>
      <Exact title={d.request ? "Request: what was sent at the last try" : "Body: what is to be sent"} text={`${d.request ?? ""}${pretty(d.body)}`} />
      {d.answer ? <Exact title="Answer: what came back" text={d.answer} /> : d.tries > 0 && <Text fz="sm">No answer came back.</Text>}
    </Stack>
  );
}

const pretty = (body: string) => {
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body;
  }
};
