import { Button, Group, Stack, Text } from "@mantine/core";
import { Link } from "react-router";
import { http, type Schema } from "../../api/client";
import { counted } from "../../api/format";
import { sentence } from "../../api/problem";
import { useAction } from "../../parts/action";
import { Confirm } from "../../parts/Confirm";
import { Instant } from "../../parts/Instant";
import { Panel } from "../../parts/Panel";
import { useRead } from "../system/Overview";

/** The reason without its last sentence, which is for the command line. */
export const whyHeld = (reason: string | undefined) => sentence((reason ?? "").replace(/ If it is right, say .*$/s, ""));

/** A read that lost more than its gate lets pass. */
export function HeldCycle({ cycle: c }: { cycle: Schema["Cycle"] }) {
  const params = { path: { id: c.id } };
  const lost = c.deleted > 0; // else it is held for what its records hold
  const approve = useAction(() => http.POST("/v1/cycles/{id}/approve", { params }), { done: lost ? "What was gone is taken as gone." : "What was read is taken as it is." });
  const reject = useAction(() => http.POST("/v1/cycles/{id}/reject", { params }), { done: "The read is forgotten; the system is read again." });
  const again = useRead(c.system);
  return (
    <Panel
      title={lost ? `Read of ${c.system}: ${counted(c.deleted, "object is", "objects are")} gone` : `The read of ${c.system} is held`}
      actions={
        <Group gap="xs">
          <Button variant="default" loading={reject.isPending} onClick={() => reject.mutate(undefined)}>
            The source is wrong: reject
          </Button>
          <Button variant="default" loading={again.isPending} onClick={() => again.mutate(undefined)}>
            Read it again
          </Button>
          <Confirm
            title={lost ? `Take ${counted(c.deleted, "object")} as gone?` : "Take what was read as it is?"} verb={lost ? "They are gone" : "Take it"} danger onConfirm={() => approve.mutate(undefined)}
            trigger={(open) => (
              <Button loading={approve.isPending} onClick={open}>
                {lost ? "They are gone: approve …" : "It is right: approve …"}
              </Button>
            )}
          >
            {lost
              ? "Their people lose what they have by them: accounts are disabled as each target's lifecycle says. "
              : "What differs by it is planned for the people of these records. "}
            What goes beyond a target's threshold waits for you again.
          </Confirm>
        </Group>
      }
    >
      <Stack gap={4}>
        <Text fz="sm">{whyHeld(c.reason)}</Text>
        <Text fz="sm" c="dimmed">
          <Link to={`/cycles/${c.id}`}>Cycle {c.id}</Link>, <Instant at={c.ended ?? c.began} />, <Link to={`/changes/jobs?job=${c.id}`}>the exact request and answer</Link>
        </Text>
      </Stack>
    </Panel>
  );
}
