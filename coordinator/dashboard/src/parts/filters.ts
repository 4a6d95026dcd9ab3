import { useSearchParams } from "react-router";

/** Filters of a list, kept in the address, so that a link shows the same. */
export function useFilters() {
  const [query, setQuery] = useSearchParams();
  return {
    get: (name: string) => query.get(name) ?? undefined,
    set: (name: string, value: string | null) =>
      setQuery(
        (q) => {
          if (value) q.set(name, value);
          else q.delete(name);
          return q;
        },
        { replace: true },
      ),
  };
}
