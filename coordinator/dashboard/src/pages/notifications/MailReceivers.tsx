import { Button, Group, MultiSelect, TextInput } from "@mantine/core";
import { IconMail } from "@tabler/icons-react";
import { useState } from "react";
import { api, http } from "../../api/client";
import { useAction } from "../../parts/action";
import { AddForm } from "../../parts/AddForm";
import { Empty } from "../../parts/Empty";
import { Instant } from "../../parts/Instant";
import { May } from "../../parts/May";
import { Panel } from "../../parts/Panel";
import { Refusal } from "../../parts/Refusal";
import { Rows } from "../../parts/Rows";
import { kinds, kindsOf, type Kind } from "./kinds";

/** Who is told by e-mail. */
export function MailReceivers() {
  const { data, error } = api.useQuery("get", "/v1/mail-receivers");
  return (
    <Panel title="E-mail" flush>
      <Refusal error={error} />
      {data && data.items.length > 0 && (
        <Rows
          label="Receivers of e-mail" rows={data.items} rowKey={(m) => m.address}
          columns={[
            { head: "Address", cell: (m) => m.address },
            { head: "Told of", cell: (m) => kindsOf(m.kinds) },
            { head: "Since", cell: (m) => <Instant at={m.made} />, align: "right", width: 130 },
            { head: "Do", cell: (m) => <Actions address={m.address} />, align: "right", width: 190 },
          ]}
        />
      )}
      {data?.items.length === 0 && (
        <Empty title="Nobody is told by e-mail yet" icon={<IconMail size={28} aria-hidden />}>
          The coordinator sends by the mail server that its setting mail names; without one no mail is sent.
        </Empty>
      )}
      <May operation="put-mail-receiver">
        <Add />
      </May>
    </Panel>
  );
}

function Actions({ address }: { address: string }) {
  const params = { path: { address } };
  const test = useAction(() => http.POST("/v1/mail-receivers/{address}/test", { params }), { done: `A test mail to ${address} is on its way.` });
  const remove = useAction(() => http.POST("/v1/mail-receivers/{address}/remove", { params }), { done: `${address} is told no more.` });
  return (
    <May operation="put-mail-receiver">
      <Group gap={4} justify="flex-end" wrap="nowrap">
        <Button size="compact-xs" variant="subtle" onClick={() => test.mutate(undefined)} aria-label={`Send a test mail to ${address}`}>
          Test
        </Button>
        <Button size="compact-xs" variant="subtle" color="red" c="var(--bad)" onClick={() => remove.mutate(undefined)} aria-label={`Remove ${address}`}>
          Remove
        </Button>
      </Group>
    </May>
  );
}

function Add() {
  const [address, setAddress] = useState("");
  const [chosen, setChosen] = useState<Kind[]>([]);
  const add = useAction(() => http.POST("/v1/mail-receivers", { body: { address: address.trim(), kinds: chosen } }), {
    done: `${address.trim()} is told by e-mail.`, onDone: () => setAddress(""), quiet: true,
  });
  return (
    <AddForm action={add} ready={address.trim() !== ""}>
      <TextInput label="Address" type="email" placeholder="iam@corp.example" value={address} onChange={(e) => setAddress(e.currentTarget.value)} w={240} maw="100%" />
      <MultiSelect label="Told of" placeholder={chosen.length === 0 ? "everything" : undefined} data={[...kinds]} value={chosen} onChange={(v) => setChosen(v as Kind[])} clearable w={320} maw="100%" size="xs" />
    </AddForm>
  );
}
