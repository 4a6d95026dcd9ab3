import { Alert, List } from "@mantine/core";
import { IconCalendarEvent } from "@tabler/icons-react";
import type { Schema } from "../../api/client";
import { sentence } from "../../api/problem";
import { Instant } from "../../parts/Instant";

/** What changes by itself when its day comes. */
export function Ahead({ alarms }: { alarms: Schema["Alarm"][] }) {
  if (alarms.length === 0) return null;
  return (
    <Alert variant="default" icon={<IconCalendarEvent size={18} aria-hidden />} title="Happens by itself">
      <List listStyleType="none" size="sm">
        {alarms.map((a) => (
          <List.Item key={`${a.at} ${a.why}`}>
            <Instant at={a.at} />: {sentence(a.why)}
          </List.Item>
        ))}
      </List>
    </Alert>
  );
}
