import { Alert, Button, Group, Modal, Select, Stack, Text, TextInput } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useState } from "react";
import { api, http, type Schema } from "../../api/client";
import { useAction } from "../../parts/action";
import { Confirm } from "../../parts/Confirm";
import { Copyable } from "../../parts/Copy";
import { Empty } from "../../parts/Empty";
import { Instant } from "../../parts/Instant";
import { Loading } from "../../parts/Loading";
import { Panel } from "../../parts/Panel";
import { Refusal } from "../../parts/Refusal";
import { Rows } from "../../parts/Rows";
import { roles, type Role } from "./roles";

type Token = Schema["APIToken"];

/** The tokens that programs and people use the API by. */
export function APITokens() {
  const { data, error } = api.useQuery("get", "/v1/api-tokens");
  const [opened, { open, close }] = useDisclosure();
  return (
    <Panel title="API tokens" flush actions={<Button variant="default" onClick={open}>Make a token</Button>}>
      <Refusal error={error} />
      {!data && !error && <Loading rows={3} />}
      {data && data.items.length > 0 && (
        <Rows
          label="API tokens" rows={data.items} rowKey={(t) => t.id}
          columns={[
            { head: "Name", cell: (t) => t.name },
            { head: "Good for", cell: (t) => (t.scim ? (t.source ? `pushing people to ${t.source}` : "reading by SCIM") : "the API") },
            { head: "Roles", cell: (t) => t.roles.join(", ") },
            { head: "Made", cell: (t) => <Instant at={t.made} />, align: "right" },
            { head: "Good until", cell: (t) => <Instant at={t.expires} none="no end" />, align: "right" },
            { head: "Last used", cell: (t) => <Instant at={t.used} />, align: "right" },
            { head: "End it", cell: (t) => <Revoke token={t} />, align: "right", width: 110 },
          ]}
        />
      )}
      {data?.items.length === 0 && <Empty title="No token yet" />}
      <Modal opened={opened} onClose={close} title={<Text fw={600}>Make an API token</Text>} closeButtonProps={{ "aria-label": "Close" }}>
        <Make close={close} />
      </Modal>
    </Panel>
  );
}

function Revoke({ token }: { token: Token }) {
  const revoke = useAction(() => http.POST("/v1/api-tokens/{id}/revoke", { params: { path: { id: token.id } } }), { done: `The token of ${token.name} is good for nothing now.` });
  return (
    <Confirm
      title={`Revoke the token of ${token.name}?`} verb="Revoke" danger onConfirm={() => revoke.mutate(undefined)}
      trigger={(open) => (
        <Button size="compact-xs" variant="subtle" c="var(--bad)" color="red" onClick={open} aria-label={`Revoke the token of ${token.name}`}>
          Revoke
        </Button>
      )}
    >
      Whatever uses it is refused at once.
    </Confirm>
  );
}

function Make({ close }: { close: () => void }) {
  const [name, setName] = useState("");
  const [role, setRole] = useState<Role>("viewer");
  const [valid, setValid] = useState("2160h");
  const make = useAction((body: Schema["NewAPIToken"]) => http.POST("/v1/api-tokens", { body }), { quiet: true });
  if (make.data) {
    return (
      <Stack gap="md">
        <Copyable label="The new token" text={make.data.token ?? ""} />
        <Alert variant="default">It is shown this once: the coordinator keeps only its fingerprint.</Alert>
        <Group justify="flex-end">
          <Button onClick={close}>Done</Button>
        </Group>
      </Stack>
    );
  }
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        make.mutate({ name: name.trim(), roles: [role], valid: valid === "always" ? undefined : valid });
      }}
    >
      <Stack gap="md">
        <TextInput label="Who or what will use it" placeholder="nightly report" value={name} onChange={(e) => setName(e.currentTarget.value)} required size="sm" data-autofocus />
        <Select label="Role" data={roles} value={role} onChange={(v) => setRole((v as Role) ?? "viewer")} allowDeselect={false} size="sm" />
        <Select
          label="Good for" value={valid} onChange={(v) => setValid(v ?? "2160h")} allowDeselect={false} size="sm"
          data={[{ value: "24h", label: "a day" }, { value: "720h", label: "30 days" }, { value: "2160h", label: "90 days" }, { value: "8760h", label: "a year" }, { value: "always", label: "until it is revoked" }]}
        />
        <Refusal error={make.error} />
        <Group justify="flex-end">
          <Button type="submit" loading={make.isPending} disabled={name.trim() === ""}>
            Make it
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
