import { Alert, Button, Group, MultiSelect, Stack, TextInput } from "@mantine/core";
import { useState } from "react";
import { http, type Schema } from "../../api/client";
import { useAction } from "../../parts/action";
import { Copyable } from "../../parts/Copy";
import { Refusal } from "../../parts/Refusal";
import { kinds, type Kind } from "./kinds";

type Given = Schema["NewWebhook"];

interface Props {
  start?: Schema["Webhook"];
  verb: string;
  busy: boolean;
  error: unknown;
  onSave: (given: Given) => void;
}

/** What a webhook is asked for: its name, where it posts, and of what. */
export function WebhookForm({ start, verb, busy, error, onSave }: Props) {
  const [name, setName] = useState(start?.name ?? "");
  const [url, setURL] = useState(start?.url ?? "");
  const [chosen, setChosen] = useState<Kind[]>((start?.kinds ?? []) as Kind[]);
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        onSave({ name: name.trim(), url: url.trim(), kinds: chosen, paused: start?.paused });
      }}
    >
      <Stack gap="md">
        <TextInput label="What it is for" placeholder="on-call" value={name} onChange={(e) => setName(e.currentTarget.value)} required size="sm" data-autofocus />
        <TextInput
          label="Address" description="Events are posted there, by https." placeholder="https://hooks.example/drawbridge" value={url} onChange={(e) => setURL(e.currentTarget.value)}
          required size="sm" spellCheck={false}
        />
        <MultiSelect
          label="Told of" placeholder={chosen.length === 0 ? "everything" : undefined} data={[...kinds]} value={chosen} onChange={(v) => setChosen(v as Kind[])} clearable size="sm"
        />
        <Refusal error={error} />
        <Group justify="flex-end">
          <Button type="submit" loading={busy} disabled={!name.trim() || !url.trim()}>
            {verb}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

/** A secret that is shown once, with what it is for. */
export function NewSecret({ of, close }: { of: string; close: () => void }) {
  return (
    <Stack gap="md">
      <Copyable label="Secret that signs the events" text={of} />
      <Alert variant="default" title="Give it to whoever receives the events">
        They check by it that an event is from here, as Standard Webhooks say. It is shown this once.
      </Alert>
      <Group justify="flex-end">
        <Button onClick={close}>Done</Button>
      </Group>
    </Stack>
  );
}

export function NewWebhook({ close }: { close: () => void }) {
  const make = useAction((body: Given) => http.POST("/v1/webhooks", { body }), { quiet: true });
  if (make.data) return <NewSecret of={make.data.secret ?? ""} close={close} />;
  return <WebhookForm verb="Add it" busy={make.isPending} error={make.error} onSave={(given) => make.mutate(given)} />;
}
