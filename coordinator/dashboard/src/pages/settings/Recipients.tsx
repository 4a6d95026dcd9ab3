import { Button, TextInput } from "@mantine/core";
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

/** To whom new passwords may be sealed. */
export function Recipients() {
  const { data, error } = api.useQuery("get", "/v1/recipients");
  const remove = useAction((name: string) => http.POST("/v1/recipients/{name}/remove", { params: { path: { name } } }), { done: "Removed." });
  return (
    <Panel title="Recipients" flush>
      <Refusal error={error} />
      {data && data.items.length > 0 && (
        <Rows
          label="Recipients" rows={data.items} rowKey={(r) => r.name}
          columns={[
            { head: "Name", cell: (r) => r.name },
            { head: "Public key", cell: (r) => <span className="mono">{r.key}</span> },
            { head: "Given", cell: (r) => <Instant at={r.made} />, align: "right" },
            {
              head: "Remove", align: "right",
              cell: (r) => (
                <May operation="remove-recipient">
                  <Button size="compact-xs" variant="subtle" color="red" c="var(--bad)" onClick={() => remove.mutate(r.name)} aria-label={`Remove ${r.name}`}>
                    Remove
                  </Button>
                </May>
              ),
            },
          ]}
        />
      )}
      {data?.items.length === 0 && <Empty title="Nobody can be sent a password yet">Add who shall get new passwords, by the public key that drawbridge recipient keygen makes for them.</Empty>}
      <May operation="put-recipient">
        <Add />
      </May>
    </Panel>
  );
}

function Add() {
  const [name, setName] = useState("");
  const [key, setKey] = useState("");
  const add = useAction(() => http.POST("/v1/recipients", { body: { name: name.trim(), key: key.trim() } }), {
    done: `New passwords may be sealed to ${name} now.`,
    onDone: () => {
      setName("");
      setKey("");
    },
    quiet: true,
  });
  return (
    <AddForm action={add} ready={name.trim() !== "" && key.trim() !== ""}>
      <TextInput label="Name" value={name} onChange={(e) => setName(e.currentTarget.value)} w={180} />
      <TextInput label="Public key (age1…)" value={key} onChange={(e) => setKey(e.currentTarget.value)} w={360} maw="100%" spellCheck={false} />
    </AddForm>
  );
}
