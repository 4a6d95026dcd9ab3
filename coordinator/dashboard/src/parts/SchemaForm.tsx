import { Accordion, Stack } from "@mantine/core";
import { SettingField } from "./SettingField";
import type { Settings, SettingSchema } from "./settings";

interface Props {
  schema: SettingSchema;
  values: Settings;
  onChange: (values: Settings) => void;
}

/** A form for what a schema describes: what is required first, the rest behind a fold, secrets not at all. */
export function SchemaForm({ schema, values, onChange }: Props) {
  const required = new Set(schema.required ?? []);
  const fields = Object.entries(schema.properties ?? {}).filter(([, s]) => !s.writeOnly);
  const field = ([name, s]: [string, SettingSchema]) => (
    <SettingField key={name} name={name} schema={s} required={required.has(name)} value={values[name]} onChange={(v) => onChange({ ...values, [name]: v })} />
  );
  const more = fields.filter(([name]) => !required.has(name));
  return (
    <Stack gap="md">
      {fields.filter(([name]) => required.has(name)).map(field)}
      {more.length > 0 && (
        <Accordion variant="contained" chevronPosition="left">
          <Accordion.Item value="more">
            <Accordion.Control>More settings ({more.length})</Accordion.Control>
            <Accordion.Panel>
              <Stack gap="md">{more.map(field)}</Stack>
            </Accordion.Panel>
          </Accordion.Item>
        </Accordion>
      )}
    </Stack>
  );
}
