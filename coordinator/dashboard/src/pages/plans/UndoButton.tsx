import { Button } from "@mantine/core";
import { IconArrowBackUp } from "@tabler/icons-react";
import { useNavigate } from "react-router";
import { http, type Schema } from "../../api/client";
import { useAction } from "../../parts/action";
import { Confirm } from "../../parts/Confirm";
import { May } from "../../parts/May";

/** Plans to undo something; nothing is done before the plan is approved. */
export function UndoButton({ what, about }: { what: Schema["Undo"]; about: string }) {
  const go = useNavigate();
  const undo = useAction(() => http.POST("/v1/undo", { body: what }), { onDone: (p) => void go(`/plans/${p.id}`) });
  return (
    <May operation="plan-undo">
      <Confirm
        title="Plan to undo it?" verb="Make the plan" onConfirm={() => undo.mutate(undefined)}
        trigger={(open) => (
          <Button variant="default" leftSection={<IconArrowBackUp size={14} aria-hidden />} loading={undo.isPending} onClick={open}>
            Undo …
          </Button>
        )}
      >
        A plan is made to undo {about}. You see every change of it, and nothing is done before you approve it.
      </Confirm>
    </May>
  );
}
