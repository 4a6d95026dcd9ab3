import { Button } from "@mantine/core";
import { IconRefresh } from "@tabler/icons-react";
import { http, type Schema } from "../../api/client";
import { May } from "../../parts/May";
import { useAction } from "../../parts/action";

/** Looks at the person anew: their record is read again, and everything that differs is planned. */
export function LookNow({ person }: { person: Schema["Person"] }) {
  const source = person.attributes?.find((a) => a.origin)?.origin?.system ?? person.accounts?.[0]?.system;
  const run = useAction(
    (name: string) => http.POST("/v1/systems/{name}/run", { params: { path: { name } }, body: { person: person.key } }),
    { done: () => `${person.display} is looked at now.` },
  );
  if (!source) return null;
  return (
    <May operation="run-system">
    <Button variant="default" leftSection={<IconRefresh size={14} aria-hidden />} loading={run.isPending} onClick={() => run.mutate(source)}>
      Look at it now
    </Button>
    </May>
  );
}
