import { Autocomplete, Button, Group, Modal, Select, Stack, Tabs, Text } from "@mantine/core";
import { IconBrandWindows, IconTerminal2 } from "@tabler/icons-react";
import { useState } from "react";
import { api, http, type Schema } from "../../api/client";
import { Copyable } from "../../parts/Copy";
import { Instant } from "../../parts/Instant";
import { Refusal } from "../../parts/Refusal";
import { State } from "../../parts/State";
import { useAction } from "../../parts/action";

interface Props {
  opened: boolean;
  close: () => void;
  sites: string[];
}

/** Makes a join token and the command that uses it, and waits for the agent. */
export function Enrol({ opened, close, sites }: Props) {
  const [token, setToken] = useState<Schema["JoinToken"]>();
  const done = () => {
    setToken(undefined);
    close();
  };
  return (
    <Modal opened={opened} onClose={done} size="lg" title={<Text fw={600}>Enrol an agent</Text>} closeButtonProps={{ "aria-label": "Close" }}>
      {token ? <Command token={token} close={done} /> : <Ask sites={sites} onToken={setToken} />}
    </Modal>
  );
}

function Ask({ sites, onToken }: { sites: string[]; onToken: (t: Schema["JoinToken"]) => void }) {
  const [site, setSite] = useState(sites[0] ?? "hq");
  const [valid, setValid] = useState("1h");
  const make = useAction((body: Schema["NewJoinToken"]) => http.POST("/v1/join-tokens", { body }), { onDone: onToken, quiet: true });
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        make.mutate({ site, valid });
      }}
    >
      <Stack gap="md">
        <Autocomplete
          label="Site" description="The place that the agent serves: systems name it. Lower-case letters, digits and hyphens." data={sites} value={site} onChange={setSite} required size="sm"
        />
        <Select
          label="The command is good for" size="sm" value={valid} onChange={(v) => setValid(v ?? "1h")} allowDeselect={false}
          data={[{ value: "1h", label: "an hour" }, { value: "24h", label: "a day" }, { value: "168h", label: "a week" }]}
        />
        <Refusal error={make.error} />
        <Group justify="flex-end">
          <Button type="submit" loading={make.isPending} size="sm">
            Make the command
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function Command({ token, close }: { token: Schema["JoinToken"]; close: () => void }) {
  const secret = token.token ?? "";
  const dial = token.dial ?? "HOST:PORT";
  const { data } = api.useQuery("get", "/v1/join-tokens", {});
  const now = data?.items.find((t) => t.id === token.id);
  const used = now?.state === "used";
  return (
    <Stack gap="md">
      <Text fz="sm">
        Run this as an administrator on the host, where the agent is installed. It serves once, and until <Instant at={token.expires} as="time" />.
      </Text>
      <Tabs defaultValue="windows" keepMounted={false}>
        <Tabs.List mb="sm">
          <Tabs.Tab value="windows" leftSection={<IconBrandWindows size={14} aria-hidden />}>
            Windows
          </Tabs.Tab>
          <Tabs.Tab value="linux" leftSection={<IconTerminal2 size={14} aria-hidden />}>
            Linux
          </Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="windows">
          <Copyable label="Command for Windows" text={`& "$env:ProgramFiles\\Drawbridge\\drawbridge-agent.exe" enroll --coordinator ${dial} --token ${secret}`} />
        </Tabs.Panel>
        <Tabs.Panel value="linux">
          <Copyable label="Command for Linux" text={`sudo drawbridge-agent enroll --coordinator ${dial} --token ${secret}`} />
        </Tabs.Panel>
      </Tabs>
      <Group justify="space-between">
        <div role="status">
          {used ? <State of="used">Joined: host {now.used_by}</State> : <State of="open">Waiting for the agent …</State>}
        </div>
        <Button variant={used ? "filled" : "default"} onClick={close} size="sm">
          {used ? "Done" : "Close"}
        </Button>
      </Group>
    </Stack>
  );
}
