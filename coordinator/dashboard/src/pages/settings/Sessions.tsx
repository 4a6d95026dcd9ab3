import { Alert, Button, Group, Modal, MultiSelect, Stack, Text, TextInput } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useState } from "react";
import { api, http, type Schema } from "../../api/client";
import { useAction } from "../../parts/action";
import { Copyable } from "../../parts/Copy";
import { Empty } from "../../parts/Empty";
import { Instant } from "../../parts/Instant";
import { Panel } from "../../parts/Panel";
import { Refusal } from "../../parts/Refusal";
import { Rows } from "../../parts/Rows";
import { roles, type Role } from "./roles";

/** Who is signed in at a browser now; links that sign others in. */
export function Sessions() {
  const { data, error } = api.useQuery("get", "/v1/sessions");
  const [opened, { open, close }] = useDisclosure();
  const revoke = useAction((id: string) => http.POST("/v1/sessions/{id}/revoke", { params: { path: { id } } }), { done: "Signed out." });
  return (
    <Panel title="Signed in at a browser" flush actions={<Button variant="default" onClick={open}>Make a sign-in link</Button>}>
      <Refusal error={error} />
      {data && data.items.length > 0 && (
        <Rows
          label="Sessions" rows={data.items} rowKey={(s) => s.id}
          columns={[
            { head: "Who", cell: (s) => s.name },
            { head: "Roles", cell: (s) => s.roles.join(", ") },
            { head: "How", cell: (s) => s.how },
            { head: "From", cell: (s) => <span title={s.browser}>{s.address}</span> },
            { head: "Last there", cell: (s) => <Instant at={s.seen} />, align: "right" },
            { head: "Ends", cell: (s) => <Instant at={s.expires} />, align: "right" },
            {
              head: "End it", align: "right",
              cell: (s) => (
                <Button size="compact-xs" variant="subtle" color="red" c="var(--bad)" onClick={() => revoke.mutate(s.id)} aria-label={`Sign out ${s.name}`}>
                  Sign out
                </Button>
              ),
            },
          ]}
        />
      )}
      {data?.items.length === 0 && <Empty title="Nobody is signed in at a browser">Those who use a token are not shown here.</Empty>}
      <Modal opened={opened} onClose={close} title={<Text fw={600}>Make a sign-in link</Text>} closeButtonProps={{ "aria-label": "Close" }}>
        <MakeLink close={close} />
      </Modal>
    </Panel>
  );
}

function MakeLink({ close }: { close: () => void }) {
  const [name, setName] = useState("");
  const [chosen, setChosen] = useState<Role[]>(["viewer"]);
  const make = useAction((body: Schema["NewSignInLink"]) => http.POST("/v1/sign-in-links", { body }), { quiet: true });
  if (make.data) {
    return (
      <Stack gap="md">
        <Copyable label="The link" text={make.data.url} />
        <Alert variant="default">
          It signs {make.data.name} in once, as {make.data.roles.join(", ")}, until <Instant at={make.data.expires} as="time" />. It is not shown again.
        </Alert>
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
        make.mutate({ name: name.trim(), roles: chosen });
      }}
    >
      <Stack gap="md">
        <TextInput label="Whom it signs in" description="As it will stand in the audit" value={name} onChange={(e) => setName(e.currentTarget.value)} required size="sm" data-autofocus />
        <MultiSelect label="Roles" data={roles} value={chosen} onChange={(v) => setChosen(v as Role[])} size="sm" />
        <Refusal error={make.error} />
        <Group justify="flex-end">
          <Button type="submit" loading={make.isPending} disabled={name.trim() === "" || chosen.length === 0}>
            Make it
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
