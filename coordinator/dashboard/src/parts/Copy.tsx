import { ActionIcon, Box, CopyButton } from "@mantine/core";
import { IconCheck, IconCopy } from "@tabler/icons-react";

/** A text to take along, such as a command. */
export function Copyable({ text, label }: { text: string; label: string }) {
  return (
    <Box pos="relative">
      <pre className="code" tabIndex={0} aria-label={label} style={{ paddingRight: 44 }}>
        {text}
      </pre>
      <CopyButton value={text}>
        {({ copied, copy }) => (
          <ActionIcon pos="absolute" top={6} right={6} onClick={copy} aria-label={copied ? "Copied" : `Copy: ${label}`} title={copied ? "Copied" : "Copy"}>
            {copied ? <IconCheck size={16} aria-hidden color="var(--good)" /> : <IconCopy size={16} aria-hidden />}
          </ActionIcon>
        )}
      </CopyButton>
    </Box>
  );
}
