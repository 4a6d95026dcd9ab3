import { Button, Group } from "@mantine/core";
import { http, type Schema } from "../../api/client";
import { useAction } from "../../parts/action";
import { May } from "../../parts/May";
import { State } from "../../parts/State";

/** Whether a target is written to at once, or on approval, and the way from one to the other. */
export function ModeLine({ system: s }: { system: Schema["System"] }) {
  const preview = s.mode === "preview";
  const next = preview ? "apply" : "preview";
  const set = useAction(() => http.POST("/v1/systems/{name}/mode", { params: { path: { name: s.name } }, body: { mode: next } }), {
    done: preview ? `${s.name} is written to at once from now on.` : `Nothing is written to ${s.name} without approval from now on.`,
  });
  return (
    <Group gap="sm">
      <State of={preview ? "held" : "ready"}>{preview ? "on approval: every change is seen first" : "at once; beyond a threshold on approval"}</State>
      <May operation="set-system-mode">
        <Button size="compact-xs" variant="default" loading={set.isPending} onClick={() => set.mutate(undefined)}>
          {preview ? "Write at once from now on" : "Ask for approval from now on"}
        </Button>
      </May>
    </Group>
  );
}
