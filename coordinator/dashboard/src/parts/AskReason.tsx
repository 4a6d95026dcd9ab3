import { Button, Group, Modal, Stack, Text, TextInput } from "@mantine/core";
import { useState, useSyncExternalStore } from "react";
import { question } from "../api/reason";

/** Asks why something is done, where the coordinator wants to know. */
export function AskReason() {
  const open = useSyncExternalStore(question.subscribe, question.open);
  return (
    <Modal opened={open} onClose={() => question.answer(undefined)} title={<Text fw={600}>Why?</Text>} closeButtonProps={{ "aria-label": "Close" }} zIndex={400}>
      <Reason />
    </Modal>
  );
}

function Reason() {
  const [reason, setReason] = useState("");
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        question.answer(reason);
      }}
    >
      <Stack gap="md">
        <TextInput
          label="Reason" description="Your organisation wants one for this. It stands in the audit." placeholder="asked by HR, ticket 4711"
          value={reason} onChange={(e) => setReason(e.currentTarget.value)} maxLength={300} size="sm" data-autofocus required
        />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={() => question.answer(undefined)}>
            Do not do it
          </Button>
          <Button type="submit" disabled={!reason.trim()}>
            Do it
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
