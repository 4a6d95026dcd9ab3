import { Skeleton, Stack } from "@mantine/core";

/** Stands where something is still being asked for. */
export function Loading({ rows = 6 }: { rows?: number }) {
  return (
    <Stack gap={10} p="md" role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, i) => (
        <Skeleton key={i} height={14} width={`${92 - ((i * 17) % 40)}%`} />
      ))}
    </Stack>
  );
}
