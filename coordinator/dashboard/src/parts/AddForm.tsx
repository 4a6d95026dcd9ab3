import { Button, Group } from "@mantine/core";
import type { ReactNode } from "react";
import { Refusal } from "./Refusal";

interface Props {
  action: { mutate: (of: undefined) => void; isPending: boolean; error: unknown };
  ready: boolean; // what is needed was entered
  children: ReactNode; // the fields
}

/** The line below a list by which one more is added to it. */
export function AddForm({ action, ready, children }: Props) {
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        action.mutate(undefined);
      }}
    >
      <Refusal error={action.error} />
      <Group p="sm" gap="xs" align="flex-end">
        {children}
        <Button type="submit" variant="default" loading={action.isPending} disabled={!ready}>
          Add
        </Button>
      </Group>
    </form>
  );
}
