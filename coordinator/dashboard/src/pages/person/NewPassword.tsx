import { Button } from "@mantine/core";
import { IconKey } from "@tabler/icons-react";
import { http, type Schema } from "../../api/client";
import { useAction } from "../../parts/action";
import { Confirm } from "../../parts/Confirm";
import { May } from "../../parts/May";

/** Has a new password made for the person's accounts, sealed to whom the documents name. */
export function NewPassword({ person: p }: { person: Schema["Person"] }) {
  const make = useAction(() => http.POST("/v1/people/{key}/password", { params: { path: { key: p.key } }, body: {} }), {
    done: "A new password is being made. It waits below Settings, Passwords.",
  });
  if (!p.accounts?.some((a) => a.address)) return null;
  return (
    <May operation="new-password">
      <Confirm
        title={`A new password for ${p.display}?`} verb="Make one" onConfirm={() => make.mutate(undefined)}
        trigger={(open) => (
          <Button variant="default" leftSection={<IconKey size={14} aria-hidden />} loading={make.isPending} onClick={open}>
            New password
          </Button>
        )}
      >
        It is made where the account is, and sealed to whom the system's document names. The one before is void.
      </Confirm>
    </May>
  );
}
