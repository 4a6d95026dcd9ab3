// The settings of a connector, as its JSON Schema (draft 2020-12) describes them.
export interface SettingSchema {
  type?: string;
  description?: string;
  default?: unknown;
  enum?: string[];
  pattern?: string;
  format?: string;
  writeOnly?: boolean;
  items?: SettingSchema;
  properties?: Record<string, SettingSchema>;
  additionalProperties?: boolean | SettingSchema;
  required?: string[];
}

export type Settings = Record<string, unknown>;

/** Whether the schema knows that a setting is a secret, which is set on the agent's host. */
export const secretsOf = (schema: SettingSchema) =>
  Object.entries(schema.properties ?? {}).filter(([, s]) => s.writeOnly).map(([name, s]) => ({ name, description: s.description ?? "" }));

/** The names of settings that are needed and have no value yet. */
export const missingOf = (schema: SettingSchema, values: Settings) =>
  (schema.required ?? []).filter((name) => !schema.properties?.[name]?.writeOnly && empty(values[name]));

const empty = (v: unknown) => v === undefined || v === "" || (Array.isArray(v) && v.length === 0);

/** The settings without those that say nothing. */
export function tidy(values: Settings): Settings {
  const out: Settings = {};
  for (const [name, v] of Object.entries(values)) {
    const value = typeof v === "object" && v !== null && !Array.isArray(v) ? tidy(v as Settings) : v;
    if (empty(value) || (typeof value === "object" && value !== null && !Array.isArray(value) && Object.keys(value).length === 0)) continue;
    out[name] = value;
  }
  return out;
}
