import { Button } from "@mantine/core";
import { Link } from "react-router";
import { api, http, type Schema } from "../../api/client";
import { useAction } from "../../parts/action";
import { Confirm } from "../../parts/Confirm";
import { Empty } from "../../parts/Empty";
import { Instant } from "../../parts/Instant";
import { Panel } from "../../parts/Panel";
import { Refusal } from "../../parts/Refusal";
import { Rows } from "../../parts/Rows";

/** New passwords that nobody has picked up; only their recipients can open them. */
export function Passwords() {
  const { data, error } = api.useQuery("get", "/v1/passwords");
  return (
    <Panel title="New passwords that wait" flush>
      <Refusal error={error} />
      {data && data.items.length > 0 && (
        <Rows
          label="New passwords" rows={data.items} rowKey={(p) => p.id}
          columns={[
            { head: "Person", cell: (p) => <Link to={`/people/${encodeURIComponent(p.person)}`}>{p.display || p.person}</Link> },
            { head: "System", cell: (p) => p.system },
            { head: "Sealed to", cell: (p) => p.recipients?.join(", ") },
            { head: "Made", cell: (p) => <Instant at={p.made} />, align: "right" },
            { head: "Forgotten", cell: (p) => <Instant at={p.forgotten} />, align: "right" },
            { head: "Forget it", cell: (p) => <Forget password={p} />, align: "right" },
          ]}
        />
      )}
      {data?.items.length === 0 && <Empty title="No password waits">A new password is sealed to the recipients that a document names. They open it with their own key: drawbridge password show.</Empty>}
    </Panel>
  );
}

function Forget({ password: p }: { password: Schema["Password"] }) {
  const forget = useAction(() => http.POST("/v1/passwords/{id}/forget", { params: { path: { id: p.id } } }), { done: "Forgotten." });
  return (
    <Confirm
      title={`Forget the password of ${p.display}?`} verb="Forget" danger onConfirm={() => forget.mutate(undefined)}
      trigger={(open) => (
        <Button size="compact-xs" variant="subtle" color="red" c="var(--bad)" onClick={open} aria-label={`Forget the password of ${p.display}`}>
          Forget
        </Button>
      )}
    >
      Nobody can pick it up afterwards. The account keeps it until another is set.
    </Confirm>
  );
}
