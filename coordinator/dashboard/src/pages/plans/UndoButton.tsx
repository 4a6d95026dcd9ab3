import { Anchor, Button } from "@mantine/core";
import { IconArrowBackUp } from "@tabler/icons-react";
import type { ReactNode } from "react";
import { useNavigate } from "react-router";
import { http, type Schema } from "../../api/client";
import { useAction } from "../../parts/action";
import { Confirm } from "../../parts/Confirm";
import { May } from "../../parts/May";

interface Props {
  what: Schema["Undo"];
  about: string;
  trigger: (open: () => void, busy: boolean) => ReactNode;
}

/** Plans to undo something; nothing is done before the plan is approved. */
function Undo({ what, about, trigger }: Props) {
  const go = useNavigate();
  const undo = useAction(() => http.POST("/v1/undo", { body: what }), { onDone: (p) => void go(`/plans/${p.id}`) });
  return (
    <May operation="plan-undo">
      <Confirm
        title="Plan to undo it?" verb="Make the plan" onConfirm={() => undo.mutate(undefined)}
        trigger={(open) => trigger(open, undo.isPending)}
      >
        A plan is made to undo {about}. You see every change of it, and nothing is done before you approve it.
      </Confirm>
    </May>
  );
}

export function UndoButton({ what, about }: { what: Schema["Undo"]; about: string }) {
  return (
    <Undo
      what={what} about={about}
      trigger={(open, busy) => (
        <Button variant="default" leftSection={<IconArrowBackUp size={14} aria-hidden />} loading={busy} onClick={open}>
          Undo …
        </Button>
      )}
    />
  );
}

/** The same for one change, in a line of text. */
export function UndoLink({ job, text }: { job: number; text: string }) {
  return (
    <Undo
      what={{ job }} about={`“${text}”`}
      trigger={(open) => (
        <Anchor component="button" type="button" fz="xs" onClick={open} aria-label={`Undo: ${text}`}>
          undo …
        </Anchor>
      )}
    />
  );
}
