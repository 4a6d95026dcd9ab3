import { Select } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "../../api/client";

/** Chooses a person by name or number. */
export function PersonPicker({ label, value, onChange }: { label: string; value: string; onChange: (key: string) => void }) {
  const [text, setText] = useState("");
  const [asked] = useDebouncedValue(text.trim(), 150);
  const q = asked === "" || asked.includes("(") ? undefined : asked;
  const { data } = api.useQuery("get", "/v1/people", { params: { query: { q, limit: 20 } } }, { placeholderData: keepPreviousData });
  const options = (data?.items ?? []).map((p) => ({ value: p.key, label: `${p.display} (${p.key})` }));
  if (value && !options.some((o) => o.value === value)) options.unshift({ value, label: value });
  return (
    <Select
      label={label} placeholder="Name or number" searchable data={options} value={value || null} onChange={(v) => v && onChange(v)} onSearchChange={setText}
      filter={({ options }) => options} nothingFoundMessage="Nobody is called so" w={300} maw="100%" size="xs" allowDeselect={false}
    />
  );
}
