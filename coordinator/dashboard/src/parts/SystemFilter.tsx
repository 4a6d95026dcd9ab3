import { Select } from "@mantine/core";
import { api } from "../api/client";

/** Leaves what is of one system. */
export function SystemFilter({ value, onChange }: { value: string | null; onChange: (v: string | null) => void }) {
  const { data } = api.useQuery("get", "/v1/systems");
  return (
    <Select
      aria-label="System" placeholder="Every system" clearable searchable data={(data?.items ?? []).map((s) => s.name)} value={value} onChange={onChange} w={180}
    />
  );
}
