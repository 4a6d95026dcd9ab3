import { Button, Group, Stack, Text } from "@mantine/core";
import { useState } from "react";
import { api, http, type Schema } from "../../api/client";
import { useAction } from "../../parts/action";
import { Confirm } from "../../parts/Confirm";
import { DiffText } from "../../parts/DiffText";
import { Empty } from "../../parts/Empty";
import { Instant } from "../../parts/Instant";
import { Loading } from "../../parts/Loading";
import { May } from "../../parts/May";
import { Panel } from "../../parts/Panel";
import { Refusal } from "../../parts/Refusal";
import { Rows } from "../../parts/Rows";
import { State } from "../../parts/State";

type Version = Schema["SystemVersion"];

/** Every version of the document, what each changed, and the way back to one. */
export function VersionsTab({ name }: { name: string }) {
  const { data, error } = api.useQuery("get", "/v1/systems/{name}/versions", { params: { path: { name } } });
  const [shown, setShown] = useState<number>();
  const list = data?.items ?? [];
  const revision = shown ?? list[0]?.revision;
  return (
    <Stack gap="md">
      <Panel title="Versions" flush>
        <Refusal error={error} />
        {!data && !error && <Loading rows={3} />}
        {list.length > 0 && (
          <Rows
            label="Versions" rows={list} rowKey={(v) => v.revision}
            columns={[
              { head: "Revision", cell: (v) => <>{v.revision}{" "}&ensp;{v.current && <State of="ready">in force</State>}</>, width: 160 },
              { head: "Applied", cell: (v) => <Instant at={v.applied} />, width: 130 },
              { head: "By", cell: (v) => v.by || "", width: 160 },
              { head: "Why", cell: (v) => v.note || "" },
              { head: "Lines", cell: (v) => (v.revision === 1 ? "first" : `+${v.added} −${v.removed}`), align: "right", width: 100 },
              { head: "Look", cell: (v) => <Actions version={v} shown={v.revision === revision} onShow={() => setShown(v.revision)} />, align: "right", width: 210 },
            ]}
          />
        )}
      </Panel>
      {revision !== undefined && <Difference name={name} revision={revision} />}
    </Stack>
  );
}

function Actions({ version: v, shown, onShow }: { version: Version; shown: boolean; onShow: () => void }) {
  const back = useAction(() => http.POST("/v1/systems/{name}/rollback", { params: { path: { name: v.system } }, body: { revision: v.revision } }), {
    done: `Revision ${v.revision} is in force again.`,
  });
  return (
    <Group gap={4} justify="flex-end" wrap="nowrap">
      <Button size="compact-xs" variant={shown ? "default" : "subtle"} onClick={onShow} aria-label={`What revision ${v.revision} changed`}>
        Difference
      </Button>
      {!v.current && (
        <May operation="rollback-system">
          <Confirm
            title={`Go back to revision ${v.revision}?`} verb="Go back" onConfirm={() => back.mutate(undefined)}
            trigger={(open) => (
              <Button size="compact-xs" variant="subtle" onClick={open} aria-label={`Go back to revision ${v.revision}`}>
                Go back …
              </Button>
            )}
          >
            Its text becomes a new revision, in force at once. What differs by it is planned as ever, and held beyond the thresholds.
          </Confirm>
        </May>
      )}
    </Group>
  );
}

function Difference({ name, revision }: { name: string; revision: number }) {
  const first = revision <= 1;
  const { data, error } = api.useQuery(
    "get", "/v1/systems/{name}/diff", { params: { path: { name }, query: { from: Math.max(revision - 1, 1), to: revision } } }, { enabled: !first },
  );
  return (
    <Panel title={`What revision ${revision} changed`} flush>
      <Refusal error={error} />
      {first && <Empty title="It is the first revision">There is nothing to compare it with.</Empty>}
      {data && (data.diff ? <DiffText text={data.diff} label={`Difference of revision ${revision}`} /> : <Text p="sm" fz="sm">Nothing.</Text>)}
    </Panel>
  );
}
