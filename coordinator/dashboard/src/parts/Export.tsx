import { Button, Menu } from "@mantine/core";
import { IconDownload } from "@tabler/icons-react";
import { save } from "../api/save";
import { useAction } from "./action";
import { May } from "./May";

interface Props {
  operation: string;
  path: string;
  query: Record<string, string | undefined>;
  name: string;
  /** What the route calls JSON, a line each. */
  lines?: "jsonl" | "ndjson";
}

/** Saves everything that matches, not only what is shown, as a table or as JSON. */
export function Export({ operation, path, query, name, lines = "jsonl" }: Props) {
  const run = useAction(async (format: string) => ({ data: await save(path, { ...query, format }, name) }));
  return (
    <May operation={operation}>
      <Menu position="bottom-end">
        <Menu.Target>
          <Button variant="default" leftSection={<IconDownload size={14} aria-hidden />} loading={run.isPending}>
            Export
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item onClick={() => run.mutate("csv")}>As a table (CSV)</Menu.Item>
          <Menu.Item onClick={() => run.mutate(lines)}>As JSON, a line each</Menu.Item>
        </Menu.Dropdown>
      </Menu>
    </May>
  );
}
