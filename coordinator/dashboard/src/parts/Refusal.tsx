import { Alert, Button, List, Text } from "@mantine/core";
import { IconAlertCircle } from "@tabler/icons-react";
import { headline, problemOf, sentence, type Fault } from "../api/problem";

/** Shows why the API refused and what it says to do next. */
export function Refusal({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  if (!error) return null;
  const p = problemOf(error);
  return (
    <Alert color="red" icon={<IconAlertCircle size={18} aria-hidden />} title={headline(p)} role="alert" variant="default">
      {p.next_step && <Text fz="sm">{sentence(p.next_step)}</Text>}
      {p.errors?.length ? (
        <List size="sm" mt={6} spacing={6} listStyleType="none">
          {p.errors.map((f, i) => (
            <List.Item key={i}>
              <FaultLine fault={f} />
            </List.Item>
          ))}
        </List>
      ) : null}
      {onRetry && (
        <Button mt="xs" variant="default" onClick={onRetry}>
          Try again
        </Button>
      )}
    </Alert>
  );
}

function FaultLine({ fault: f }: { fault: Fault }) {
  const place = f.line ? `Line ${f.line}${f.column ? `, column ${f.column}` : ""}: ` : f.location ? `${f.location}: ` : "";
  return (
    <>
      <Text span fw={600} fz="sm">
        {place}
      </Text>
      {f.message}
      {f.next_step && <Text c="dimmed" fz="sm">{sentence(f.next_step)}</Text>}
    </>
  );
}
