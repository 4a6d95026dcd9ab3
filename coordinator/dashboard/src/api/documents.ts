// System documents are YAML, which the API takes as it is.
import { useDebouncedValue } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { http } from "./client";
import { problemOf } from "./problem";

const send = (name: string, text: string, dry: boolean, signal?: AbortSignal) =>
  http.POST("/v1/systems", {
    params: { query: { name, dry_run: dry || undefined } },
    body: text as never, // described as bytes
    bodySerializer: (body: unknown) => body as string,
    headers: { "Content-Type": "application/yaml" },
    signal,
  });

export const apply = (name: string, text: string) => send(name, text, false);

/** Has the coordinator check the text while it is written. */
export function useCheck(name: string, text: string, enabled: boolean) {
  const [settled] = useDebouncedValue(text, 300);
  const query = useQuery({
    queryKey: ["check", name, settled],
    enabled,
    staleTime: Infinity,
    queryFn: async ({ signal }) => {
      const { data, error } = await send(name, settled, true, signal);
      if (error) throw error;
      return data;
    },
  });
  return { ...query, isFetching: query.isFetching || settled !== text, faults: enabled && query.error ? (problemOf(query.error).errors ?? []) : [] };
}
