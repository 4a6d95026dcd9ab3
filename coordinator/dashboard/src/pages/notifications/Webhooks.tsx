import { Button, Modal, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconWebhook } from "@tabler/icons-react";
import { Link } from "react-router";
import { api } from "../../api/client";
import { Empty } from "../../parts/Empty";
import { Instant } from "../../parts/Instant";
import { Loading } from "../../parts/Loading";
import { May } from "../../parts/May";
import { Panel } from "../../parts/Panel";
import { Refusal } from "../../parts/Refusal";
import { Rows } from "../../parts/Rows";
import { State } from "../../parts/State";
import { kindsOf } from "./kinds";
import { NewWebhook } from "./WebhookForm";

/** Programs that are told of what needs a person. */
export function Webhooks() {
  const { data, error } = api.useQuery("get", "/v1/webhooks");
  const [opened, { open, close }] = useDisclosure();
  const add = (
    <May operation="create-webhook">
      <Button variant="default" onClick={open}>
        Add a webhook
      </Button>
    </May>
  );
  return (
    <Panel title="Webhooks" flush actions={add}>
      <Refusal error={error} />
      {!data && !error && <Loading rows={3} />}
      {data && data.items.length > 0 && (
        <Rows
          label="Webhooks" rows={data.items} rowKey={(w) => w.id} linked
          columns={[
            { head: "Name", cell: (w) => <Link to={`/settings/notifications/${w.id}`}>{w.name}</Link> },
            { head: "State", cell: (w) => (w.paused ? <State of="paused" tone="warn" /> : <State of="on" tone="good" />), width: 110 },
            { head: "Posted to", cell: (w) => <span className="mono">{w.url}</span> },
            { head: "Told of", cell: (w) => kindsOf(w.kinds) },
            { head: "Made", cell: (w) => <Instant at={w.made} />, align: "right", width: 130 },
          ]}
        />
      )}
      {data?.items.length === 0 && (
        <Empty title="No program is told yet" icon={<IconWebhook size={28} aria-hidden />}>
          A webhook posts to an address of yours when an agent is away, a system fails, or something is held: to a chat, a pager, a ticket system.
        </Empty>
      )}
      <Modal opened={opened} onClose={close} title={<Text fw={600}>Add a webhook</Text>} closeButtonProps={{ "aria-label": "Close" }}>
        <NewWebhook close={close} />
      </Modal>
    </Panel>
  );
}
