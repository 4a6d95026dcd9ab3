import { Button, Group } from "@mantine/core";
import { useIntersection } from "@mantine/hooks";
import { useEffect } from "react";

interface Props {
  of: { hasNextPage: boolean; isFetchingNextPage: boolean; fetchNextPage: () => unknown };
  label?: string;
  /** It is loaded as soon as it comes into sight. */
  eager?: boolean;
}

/** Loads what follows in a list, by its button. */
export function More({ of: q, label = "Show more", eager }: Props) {
  const { ref, entry } = useIntersection({ rootMargin: "400px" });
  const near = eager && entry?.isIntersecting;
  const { isFetchingNextPage: busy, fetchNextPage: load } = q;
  useEffect(() => {
    if (near && !busy) load();
  }, [near, busy, load]);
  if (!q.hasNextPage) return null;
  return (
    <Group justify="center" p="sm" ref={ref}>
      <Button variant="default" onClick={() => load()} loading={busy}>
        {label}
      </Button>
    </Group>
  );
}
