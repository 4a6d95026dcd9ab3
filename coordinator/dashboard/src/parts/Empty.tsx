import { Stack, Text } from "@mantine/core";
import type { ReactNode } from "react";

/** Stands where a list has nothing, and says what to do about it, or that all is well. */
export function Empty({ title, children, icon }: { title: string; children?: ReactNode; icon?: ReactNode }) {
  return (
    <Stack align="center" gap={6} py={36} px="md" ta="center">
      {icon}
      <Text fw={600} fz="md">
        {title}
      </Text>
      {children && (
        <Text component="div" c="dimmed" fz="sm" maw={480}>
          {children}
        </Text>
      )}
    </Stack>
  );
}
