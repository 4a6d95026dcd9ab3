import { Button, Group, Stack, Text } from "@mantine/core";
import { useState } from "react";
import { apply, useCheck } from "../../api/documents";
import type { Schema } from "../../api/client";
import { useAction } from "../../parts/action";
import { Editor } from "../../parts/Editor";
import { Panel } from "../../parts/Panel";
import { Refusal } from "../../parts/Refusal";

/** The document as it is applied, to change as text. */
export function DocumentTab({ system }: { system: Schema["SystemDetail"] }) {
  const [text, setText] = useState(system.document);
  const changed = text.trim() !== system.document.trim();
  const check = useCheck(system.name, text, changed);
  const save = useAction(() => apply(system.name, text), { done: `The document of ${system.name} is applied.`, quiet: true });
  return (
    <Panel
      title="Document" flush
      actions={
        <Group gap="xs">
          {changed && (
            <Button variant="default" onClick={() => setText(system.document)}>
              Discard
            </Button>
          )}
          <Button disabled={!changed || check.isFetching || !!check.error} loading={save.isPending} onClick={() => save.mutate(undefined)}>
            Apply
          </Button>
        </Group>
      }
    >
      <Editor label={`Document of ${system.name}`} value={text} onChange={setText} faults={check.faults} />
      <Stack p="sm" gap="xs" role="status">
        {changed && <Verdict check={check} />}
        <Refusal error={save.error ?? (changed ? check.error : undefined)} />
      </Stack>
    </Panel>
  );
}

function Verdict({ check }: { check: ReturnType<typeof useCheck> }) {
  if (check.isFetching) return <Text fz="sm" c="dimmed">Checking …</Text>;
  if (check.error) return null;
  const notes = check.data?.systems?.flatMap((s) => s.notes ?? []) ?? [];
  return (
    <>
      <Text fz="sm">The document is in order. It counts from the next time that somebody is looked at.</Text>
      {notes.map((n) => (
        <Text key={n.message} fz="sm" c="dimmed">
          {n.message} {n.next_step}
        </Text>
      ))}
    </>
  );
}
