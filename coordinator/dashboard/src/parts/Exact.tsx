import { Text } from "@mantine/core";

/** A message to the letter, such as a request. */
export function Exact({ title, text }: { title: string; text: string }) {
  return (
    <section aria-label={title}>
      <Text fz="xs" c="dimmed" mb={4}>
        {title}
      </Text>
      <pre className="code" tabIndex={0} aria-label={title}>{text}</pre>
    </section>
  );
}
