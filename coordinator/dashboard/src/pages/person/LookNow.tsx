import { Button } from "@mantine/core";
import { IconRefresh } from "@tabler/icons-react";
import { http, type Schema } from "../../api/client";
import { useAction } from "../../parts/action";
import { May } from "../../parts/May";

/** Looks the person up in every system that tells of them, and does what is to be done. */
export function LookNow({ person }: { person: Schema["Person"] }) {
  const run = useAction(() => http.POST("/v1/people/{key}/run", { params: { path: { key: person.key } } }), { done: `${person.display} is looked at now.` });
  return (
    <May operation="run-person">
      <Button variant="default" leftSection={<IconRefresh size={14} aria-hidden />} loading={run.isPending} onClick={() => run.mutate(undefined)}>
        Look at it now
      </Button>
    </May>
  );
}
