import { Button, Group, Stack, Text } from "@mantine/core";
import { Copyable } from "../../parts/Copy";
import { Panel } from "../../parts/Panel";
import { secretsOf, type SettingSchema } from "../../parts/settings";
import { TestPanel, useTest } from "../system/TestPanel";
import type { Choice } from "./starter";

interface Props {
  choice: Choice;
  schema: SettingSchema;
  next: () => void;
  back: () => void;
}

/** Whether the system can be reached; secrets are given on the agent's host, not here. */
export function TestStep({ choice, schema, next, back }: Props) {
  const secrets = secretsOf(schema);
  const test = useTest(choice.name);
  const passed = test.latest?.state === "done" && test.latest.outcome === "DONE";
  return (
    <Stack gap="md">
      {secrets.length > 0 && (
        <Panel title="Give the secrets on the agent's host">
          <Stack gap="sm">
            <Text fz="sm">
              A secret never passes through this page: it is sealed on the host of the agent. Run there, as an administrator, what you need of this, and paste the secret when it is asked for:
            </Text>
            {secrets.map((s) => (
              <div key={s.name}>
                <Text fz="xs" c="dimmed" mb={4}>
                  {s.name}: {s.description}
                </Text>
                <Copyable label={`Command that sets ${s.name}`} text={`drawbridge-agent secret set ${choice.name} ${s.name}`} />
              </div>
            ))}
          </Stack>
        </Panel>
      )}
      <TestPanel test={test} />
      <Group justify="space-between">
        <Button variant="default" size="sm" onClick={back}>
          Change the connection
        </Button>
        <Button size="sm" variant={passed ? "filled" : "default"} onClick={next}>
          {passed ? "Next: mapping" : "Go on without a test"}
        </Button>
      </Group>
    </Stack>
  );
}
