import { Button, Group, List, Modal, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import type { Schema } from "../../api/client";
import { counted } from "../../api/format";
import { sentence } from "../../api/problem";
import { useAction } from "../../parts/action";
import { Loading } from "../../parts/Loading";
import { Refusal } from "../../parts/Refusal";

type Regrouped = Schema["Regrouped"];

interface Props {
  title: string;
  /** What is asked, without which there is nothing to look at yet. */
  about: string | undefined;
  verb: string;
  opened: boolean;
  close: () => void;
  ask: (preview: boolean) => Promise<{ data?: Regrouped; error?: unknown }>;
  done: (of: Regrouped) => string;
  onDone?: (of: Regrouped) => void;
  children?: ReactNode;
}

/** Shows what a merge, a split or its being taken back would change, and then does it. */
export function RegroupDialog({ title, about, verb, opened, close, ask, done, onDone, children }: Props) {
  const act = useAction(() => ask(false), {
    done, quiet: true,
    onDone: (of) => {
      close();
      act.reset();
      onDone?.(of);
    },
  });
  const preview = useQuery({
    queryKey: ["regroup", about], enabled: opened && !!about && !act.isPending, staleTime: Infinity, gcTime: 0, retry: false,
    queryFn: async () => {
      const { data, error } = await ask(true);
      if (error !== undefined) throw error;
      return data as Regrouped;
    },
  });
  const refused = act.error ?? preview.error;
  return (
    <Modal opened={opened} onClose={close} size="lg" title={<Text fw={600}>{title}</Text>} closeButtonProps={{ "aria-label": "Close" }}>
      <Stack gap="md">
        {children}
        {refused && <Refusal error={refused} />}
        {about && preview.isPending && <Loading rows={3} />}
        {preview.data && <Shown of={preview.data} />}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={close}>
            Cancel
          </Button>
          <Button disabled={!preview.data} loading={act.isPending} onClick={() => act.mutate(undefined)}>
            {verb}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}

const named = (list: Schema["Belonging"][]) => list.map((b) => `${b.kind ?? "account"} ${b.place || b.id} of ${b.system}`).join("; ");

/** Values as one reads them: a date is kept as the midnight that it begins with. */
const days = (values: string[]) => values.join(", ").replaceAll("T00:00:00Z", "") || "nothing";

function Shown({ of: r }: { of: Regrouped }) {
  return (
    <Stack gap="sm">
      <Text fz="sm">
        {counted(r.moved.length, "record or account changes hands", "records and accounts change hands")}
        {r.moved.length > 0 && <Text span c="dimmed" fz="sm">: {named(r.moved)}</Text>}.
      </Text>
      {r.let_go.length > 0 && <Text fz="sm">Let go, and left as they are: <Text span c="dimmed" fz="sm">{named(r.let_go)}</Text></Text>}
      {r.people.map((p) => (
        <div key={p.key}>
          <Text fz="sm" fw={550}>
            {p.display} <Text span c="dimmed" fz="xs" className="mono">{p.key}</Text>
          </Text>
          <List size="sm" spacing={2}>
            {p.changes.map((c) => (
              <List.Item key={c.path}>
                <span className="mono">{c.path}</span>: {days(c.before)} → {days(c.after)}
              </List.Item>
            ))}
            {p.steps.map((s, i) => (
              <List.Item key={i}>
                {s.system}: {sentence(s.text)}
              </List.Item>
            ))}
            {p.changes.length + p.steps.length === 0 && <List.Item>Nothing else changes.</List.Item>}
          </List>
        </div>
      ))}
    </Stack>
  );
}
