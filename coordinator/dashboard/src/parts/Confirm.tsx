import { Button, Group, Modal, Stack, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import type { ReactNode } from "react";

interface Props {
  title: string;
  children: ReactNode;
  verb: string;
  danger?: boolean;
  onConfirm: () => void;
  trigger: (open: () => void) => ReactNode;
}

/** Asks before something that cannot simply be taken back. */
export function Confirm({ title, children, verb, danger, onConfirm, trigger }: Props) {
  const [opened, { open, close }] = useDisclosure();
  return (
    <>
      {trigger(open)}
      <Modal opened={opened} onClose={close} title={<Text fw={600}>{title}</Text>} closeButtonProps={{ "aria-label": "Close" }}>
        <Stack gap="md">
          <Text component="div" fz="sm">
            {children}
          </Text>
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={close}>
              Cancel
            </Button>
            <Button
              color={danger ? "red.8" : undefined} data-autofocus
              onClick={() => {
                close();
                onConfirm();
              }}
            >
              {verb}
            </Button>
          </Group>
        </Stack>
      </Modal>
    </>
  );
}
