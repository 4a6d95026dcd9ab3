import { Button, Modal, Stack, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { Link, useNavigate, useParams } from "react-router";
import { api, http, type Schema } from "../../api/client";
import { useAction } from "../../parts/action";
import { Confirm } from "../../parts/Confirm";
import { Instant } from "../../parts/Instant";
import { Loading } from "../../parts/Loading";
import { May } from "../../parts/May";
import { Page } from "../../parts/Page";
import { Facts, Panel } from "../../parts/Panel";
import { Refusal } from "../../parts/Refusal";
import { State } from "../../parts/State";
import { Deliveries } from "./Deliveries";
import { kindsOf } from "./kinds";
import { NewSecret, WebhookForm } from "./WebhookForm";

/** One webhook: what it is told, and what was posted to it. */
export default function Webhook() {
  const { id = "" } = useParams();
  const params = { path: { id } };
  const { data: w, error, refetch } = api.useQuery("get", "/v1/webhooks/{id}", { params });
  const test = useAction(() => http.POST("/v1/webhooks/{id}/test", { params }), { done: "A test event is on its way: it is the first below." });
  if (!w) return <Page title="Webhook">{error ? <Refusal error={error} onRetry={() => void refetch()} /> : <Loading />}</Page>;
  return (
    <Page
      title={w.name} lead={<><Link to="/settings/notifications">Notifications</Link> / <State of={w.paused ? "paused" : "on"} tone={w.paused ? "warn" : "good"} /></>}
      actions={
        <May operation="change-webhook">
          <Remove of={w} />
          <Secret of={w} />
          <Pause of={w} />
          <Change of={w} />
          <Button loading={test.isPending} onClick={() => test.mutate(undefined)}>
            Post a test event
          </Button>
        </May>
      }
    >
      <Stack gap="md">
        <Panel title="Webhook">
          <Facts
            list={[
              ["Posted to", <span className="mono">{w.url}</span>], ["Told of", kindsOf(w.kinds)], ["Made", <Instant at={w.made} as="time" />],
              ["Signed", "as Standard Webhooks are: webhook-id, webhook-timestamp, webhook-signature"],
            ]}
          />
        </Panel>
        <Deliveries hook={w.id} />
      </Stack>
    </Page>
  );
}

type Of = { of: Schema["Webhook"] };

const given = (w: Schema["Webhook"]): Schema["NewWebhook"] => ({ name: w.name, url: w.url, kinds: (w.kinds ?? []) as Schema["NewWebhook"]["kinds"], paused: w.paused });

function Pause({ of: w }: Of) {
  const set = useAction(() => http.POST("/v1/webhooks/{id}", { params: { path: { id: w.id } }, body: { ...given(w), paused: !w.paused } }), {
    done: w.paused ? "It is posted to again." : "Nothing is posted to it for now.",
  });
  return (
    <Button variant="default" loading={set.isPending} onClick={() => set.mutate(undefined)}>
      {w.paused ? "Go on" : "Pause"}
    </Button>
  );
}

function Change({ of: w }: Of) {
  const [opened, { open, close }] = useDisclosure();
  const change = useAction((body: Schema["NewWebhook"]) => http.POST("/v1/webhooks/{id}", { params: { path: { id: w.id } }, body }), { done: "Changed.", onDone: close, quiet: true });
  return (
    <>
      <Button variant="default" onClick={open}>
        Change …
      </Button>
      <Modal opened={opened} onClose={close} title={<Text fw={600}>Change {w.name}</Text>} closeButtonProps={{ "aria-label": "Close" }}>
        <WebhookForm start={w} verb="Save" busy={change.isPending} error={change.error} onSave={(g) => change.mutate(g)} />
      </Modal>
    </>
  );
}

function Secret({ of: w }: Of) {
  const [opened, { open, close }] = useDisclosure();
  const rotate = useAction(() => http.POST("/v1/webhooks/{id}/rotate", { params: { path: { id: w.id } } }), { onDone: open });
  return (
    <>
      <Confirm
        title={`Give ${w.name} a new secret?`} verb="New secret" danger onConfirm={() => rotate.mutate(undefined)}
        trigger={(ask) => (
          <Button variant="default" loading={rotate.isPending} onClick={ask}>
            New secret …
          </Button>
        )}
      >
        Events are signed by it at once; whoever receives them refuses them until they have it.
      </Confirm>
      <Modal opened={opened} onClose={close} title={<Text fw={600}>The new secret of {w.name}</Text>} closeButtonProps={{ "aria-label": "Close" }}>
        <NewSecret of={rotate.data?.secret ?? ""} close={close} />
      </Modal>
    </>
  );
}

function Remove({ of: w }: Of) {
  const go = useNavigate();
  const remove = useAction(() => http.POST("/v1/webhooks/{id}/remove", { params: { path: { id: w.id } } }), {
    done: `${w.name} is removed.`, onDone: () => void go("/settings/notifications", { replace: true }),
  });
  return (
    <Confirm
      title={`Remove ${w.name}?`} verb="Remove" danger onConfirm={() => remove.mutate(undefined)}
      trigger={(open) => (
        <Button variant="default" c="var(--bad)" loading={remove.isPending} onClick={open}>
          Remove …
        </Button>
      )}
    >
      Nothing is posted to it any more, and what was posted is forgotten.
    </Confirm>
  );
}
