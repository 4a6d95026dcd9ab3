import { List, Text } from "@mantine/core";
import type { Schema } from "../../api/client";
import { sentence } from "../../api/problem";
import { Panel } from "../../parts/Panel";

/** What would be done for the person at hand. */
export function Steps({ account, title }: { account: Schema["TriedAccount"] | undefined; title: string }) {
  if (!account) return null;
  return (
    <Panel title={title}>
      {account.problem && <Text fz="sm" c="var(--bad)">{sentence(account.problem.cause)} {account.problem.next_step}</Text>}
      {account.steps.length === 0 && !account.problem && <Text fz="sm" c="dimmed">Nothing: everything is as it should be, or the target is not for them.</Text>}
      <List size="sm" type="ordered">
        {account.steps.map((s, i) => (
          <List.Item key={i}>{sentence(s.text)}</List.Item>
        ))}
      </List>
      {(account.notes ?? []).map((n) => (
        <Text key={n} fz="sm" c="dimmed">{sentence(n)}</Text>
      ))}
    </Panel>
  );
}
