import { Fieldset, NumberInput, Select, Switch, Textarea, TextInput } from "@mantine/core";
import { SchemaForm } from "./SchemaForm";
import type { Settings, SettingSchema } from "./settings";

interface Props {
  name: string;
  schema: SettingSchema;
  required: boolean;
  value: unknown;
  onChange: (value: unknown) => void;
}

/** One setting, asked for as its schema describes it. */
export function SettingField({ name, schema: s, required, value, onChange }: Props) {
  const common = { label: name, description: s.description, required, size: "sm" as const };
  const placeholder = s.default === undefined ? undefined : String(s.default);
  if (s.enum) {
    return <Select {...common} data={s.enum} placeholder={placeholder} clearable={!required} value={(value as string) ?? null} onChange={(v) => onChange(v ?? undefined)} />;
  }
  switch (s.type) {
    case "boolean":
      return <Switch label={name} description={s.description} checked={(value as boolean | undefined) ?? s.default === true} onChange={(e) => onChange(e.currentTarget.checked)} />;
    case "integer":
      return <NumberInput {...common} placeholder={placeholder} allowDecimal={false} value={(value as number) ?? ""} onChange={(v) => onChange(v === "" ? undefined : v)} />;
    case "array":
      if (s.items?.type === "string" || !s.items?.type) return <Lines {...common} value={value} onChange={onChange} />;
      return <Raw {...common} value={value} onChange={onChange} />;
    case "object":
      if (s.properties) {
        return (
          <Fieldset legend={`${name}: ${s.description ?? ""}`} variant="unstyled">
            <SchemaForm schema={s} values={(value as Settings) ?? {}} onChange={onChange} />
          </Fieldset>
        );
      }
      return <Raw {...common} value={value} onChange={onChange} />;
    default:
      return <TextInput {...common} placeholder={placeholder} value={(value as string) ?? ""} onChange={(e) => onChange(e.currentTarget.value)} spellCheck={false} />;
  }
}

type Line = { label: string; description?: string; required: boolean; size: "sm"; value: unknown; onChange: (v: unknown) => void };

function Lines({ value, onChange, description, ...rest }: Line) {
  return (
    <Textarea
      {...rest} description={`${description ?? ""}; one a line`} autosize minRows={1} spellCheck={false}
      value={((value as string[]) ?? []).join("\n")} onChange={(e) => onChange(e.currentTarget.value === "" ? undefined : e.currentTarget.value.split("\n"))}
    />
  );
}

/** What no other field fits, as JSON; it is kept as text until it is whole. */
function Raw({ value, onChange, description, ...rest }: Line) {
  const text = typeof value === "string" ? value : value === undefined ? "" : JSON.stringify(value, null, 2);
  return (
    <Textarea
      {...rest} description={`${description ?? ""}; as JSON`} autosize minRows={1} spellCheck={false} value={text}
      error={typeof value === "string" && value !== "" ? "This is no JSON yet" : undefined}
      onChange={(e) => onChange(parsed(e.currentTarget.value))}
    />
  );
}

function parsed(text: string): unknown {
  if (text.trim() === "") return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" ? value : text;
  } catch {
    return text;
  }
}
