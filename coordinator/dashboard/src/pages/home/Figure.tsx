import { Text } from "@mantine/core";
import { Link } from "react-router";
import classes from "./Figure.module.css";

/** A number with what it counts; leads to what it counts. */
export function Figure({ label, value, note, to, bad }: { label: string; value: string; note?: string; to: string; bad?: boolean }) {
  return (
    <Link to={to} className={classes.figure}>
      <Text span fz="xs" c="dimmed">
        {label}
      </Text>
      <Text span className={`${classes.value} num`}>
        {value}
      </Text>
      <Text span fz="xs" c={bad ? "var(--bad)" : "dimmed"}>
        {note}
      </Text>
    </Link>
  );
}
