import { Button, Group, Stack } from "@mantine/core";
import { apply } from "../../api/documents";
import { useAction } from "../../parts/action";
import { Panel } from "../../parts/Panel";
import { Refusal } from "../../parts/Refusal";
import { SchemaForm } from "../../parts/SchemaForm";
import { missingOf, type Settings, type SettingSchema } from "../../parts/settings";
import { starter, titles, type Choice } from "./starter";

interface Props {
  choice: Choice;
  schema: SettingSchema;
  settings: Settings;
  onChange: (s: Settings) => void;
  next: () => void;
}

/** How the system is reached, as its connector asks for it. */
export function ConnectionStep({ choice, schema, settings, onChange, next }: Props) {
  const save = useAction(() => apply(choice.name, starter(choice, settings)), { onDone: next, quiet: true });
  return (
    <Panel title={`How ${titles[choice.connector] ?? choice.connector} is reached`}>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          save.mutate(undefined);
        }}
      >
        <Stack gap="lg">
          <SchemaForm schema={schema} values={settings} onChange={onChange} />
          <Refusal error={save.error} />
          <Group justify="flex-end">
            <Button type="submit" size="sm" loading={save.isPending} disabled={missingOf(schema, settings).length > 0}>
              Save, and test it
            </Button>
          </Group>
        </Stack>
      </form>
    </Panel>
  );
}
