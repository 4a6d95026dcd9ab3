import { Button, Group, List, Stack, Text, TextInput } from "@mantine/core";
import { useEffect, useState } from "react";
import { http, type Schema } from "../../api/client";
import { count, counted } from "../../api/format";
import { sentence } from "../../api/problem";
import { useAction } from "../../parts/action";
import { DiffText } from "../../parts/DiffText";
import { May } from "../../parts/May";
import { Panel } from "../../parts/Panel";
import { Refusal } from "../../parts/Refusal";
import { AttributeForecasts, ClassForecasts } from "./Forecasts";

/** What a text would change for everybody, and its being applied. */
export function useForecast(system: string, text: string, onApplied: () => void) {
  const files = [{ name: `${system}.yaml`, text }];
  const plan = useAction(() => http.POST("/v1/configuration/plan", { body: { files } }), { quiet: true });
  const apply = useAction(
    (note: string) => http.POST("/v1/configuration", { body: { files, base: plan.data?.base, note: note || undefined } }),
    { done: `${system} is applied. What differs is planned now.`, onDone: onApplied, quiet: true },
  );
  const { reset } = plan;
  useEffect(() => reset(), [text, reset]);
  return { data: plan.data, error: plan.error ?? apply.error, asking: plan.isPending, ask: () => plan.mutate(undefined), apply: apply.mutate, applying: apply.isPending };
}

/** The forecast, with the button that makes it true. */
export function ForecastPanel({ forecast: f }: { forecast: ReturnType<typeof useForecast> }) {
  const [note, setNote] = useState("");
  if (f.error) return <Refusal error={f.error} />;
  if (!f.data) return null;
  const d = f.data;
  return (
    <Panel title="What would change for everybody" flush>
      <Stack gap="sm" p="sm">
        {d.people > 0 && (
          <Text fz="sm">
            {counted(d.people, "person", "people")} looked at; something changes for <strong>{count(d.changed)}</strong>.
          </Text>
        )}
        <List size="sm">
          {d.summary.map((s) => (
            <List.Item key={s}>{sentence(s)}</List.Item>
          ))}
        </List>
        <Rejected of={d.directory.rejected} />
      </Stack>
      {d.targets.map((t) => (
        <div key={t.system}>
          <ClassForecasts target={t} />
          <AttributeForecasts label={`Attributes of ${t.system}`} list={t.attributes} />
        </div>
      ))}
      <AttributeForecasts label="Attributes of people" list={d.directory.attributes} />
      {d.documents.filter((x) => x.diff).map((x) => (
        <DiffText key={x.name} text={x.diff ?? ""} label={`Change of the document of ${x.name}`} />
      ))}
      <May operation="apply-configuration">
        <Group p="md" justify="flex-end" align="flex-end">
          <TextInput label="Why (for those who look at the versions)" value={note} onChange={(e) => setNote(e.currentTarget.value)} w={340} maw="100%" />
          <Button onClick={() => f.apply(note)} loading={f.applying}>
            Apply
          </Button>
        </Group>
      </May>
    </Panel>
  );
}

/** Records that the new rules cannot take, with the reason of the first of them. */
function Rejected({ of: r }: { of: Schema["AffectedPeople"] }) {
  if (r.people === 0) return null;
  return (
    <Text fz="sm" c="var(--bad)">
      {counted(r.people, "record")} cannot be taken, such as {r.examples[0]?.person}: {r.examples[0]?.why}
    </Text>
  );
}
