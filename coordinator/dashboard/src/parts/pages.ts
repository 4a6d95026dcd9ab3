import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";

interface Answer<T> {
  data?: { items: T[] | null; next?: string };
  error?: unknown;
}

/** A list that comes page by page; key holds the route, by which events have it asked for anew, and what is asked for; again tells in how many milliseconds to ask once more. */
export function usePages<T>(key: unknown[], page: (cursor: string | undefined, signal: AbortSignal) => Promise<Answer<T>>, again?: (list: T[]) => number | false) {
  const query = useInfiniteQuery({
    queryKey: ["pages", ...key],
    initialPageParam: "",
    placeholderData: keepPreviousData,
    queryFn: async ({ pageParam, signal }) => {
      const { data, error } = await page(pageParam || undefined, signal);
      if (error !== undefined || !data) throw error;
      return data;
    },
    refetchInterval: (q) => (again && q.state.data ? again(q.state.data.pages.flatMap((p) => p.items ?? [])) : false),
    getNextPageParam: (last) => last.next || undefined,
  });
  return { ...query, list: query.data?.pages.flatMap((p) => p.items ?? []) ?? [] };
}
