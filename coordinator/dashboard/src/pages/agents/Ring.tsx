import { Autocomplete, Button, Group, Modal, Stack, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useState } from "react";
import { http, type Schema } from "../../api/client";
import { useAction } from "../../parts/action";
import { May } from "../../parts/May";
import { Refusal } from "../../parts/Refusal";

/** Which agents get a new release together with this one, and the way to say so. */
export function Ring({ agent }: { agent: Schema["Agent"] }) {
  const [opened, { open, close }] = useDisclosure();
  return (
    <Group gap="xs" component="span">
      {agent.ring || <span style={{ color: "var(--calm)" }}>none</span>}
      <May operation="set-ring">
        <Button size="compact-xs" variant="subtle" onClick={open} aria-label="Change the update ring">
          Change …
        </Button>
      </May>
      <Modal opened={opened} onClose={close} title={<Text fw={600}>Update ring of {agent.host}</Text>} closeButtonProps={{ "aria-label": "Close" }}>
        <Change agent={agent} close={close} />
      </Modal>
    </Group>
  );
}

function Change({ agent, close }: { agent: Schema["Agent"]; close: () => void }) {
  const [ring, setRing] = useState(agent.ring ?? "");
  const put = useAction(() => http.POST("/v1/agents/{id}/ring", { params: { path: { id: agent.id } }, body: { ring: ring.trim() } }), {
    done: ring.trim() ? `${agent.host} is in ring ${ring.trim()}.` : `${agent.host} is in no ring.`,
    onDone: close,
    quiet: true,
  });
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        put.mutate(undefined);
      }}
    >
      <Stack gap="md">
        <Autocomplete
          label="Ring" description="Lower-case letters, digits and hyphens; empty for none." data={["canary", "early", "stable"]} value={ring} onChange={setRing} size="sm" data-autofocus
        />
        <Text fz="sm" c="dimmed">
          Agents of one ring get a new release together: try it on a few before the rest. An agent updates itself only if its host names who must have signed the release.
          Which release a ring is to have: drawbridge ring set.
        </Text>
        <Refusal error={put.error} />
        <Group justify="flex-end">
          <Button type="submit" loading={put.isPending}>
            Save
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
