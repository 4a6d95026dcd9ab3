import { List, Text } from "@mantine/core";
import type { Schema } from "../../api/client";
import { sentence } from "../../api/problem";
import { Panel } from "../../parts/Panel";

/** What would be done for the person at hand. */
export function Steps({ account, person }: { account: Schema["TriedAccount"] | undefined; person: string | undefined }) {
  if (!account) return null;
  return (
    <Panel title={`What would be done for ${person}`}>
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
