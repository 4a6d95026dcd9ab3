import { Box, Group, Title } from "@mantine/core";
import { type ReactNode, useEffect } from "react";
import classes from "./Page.module.css";

interface Props {
  title: string;
  /** Shown in the title's place, where it is more than a word. */
  heading?: ReactNode;
  lead?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
}

/** A page with its title, what it is about, and what can be done on it. */
export function Page({ title, heading, lead, actions, children }: Props) {
  useEffect(() => {
    document.title = `${title} · Drawbridge`;
  }, [title]);
  return (
    <Box className={classes.page}>
      <header className={classes.head}>
        <Box miw={0} flex={1}>
          <Title order={1}>{heading ?? title}</Title>
          {lead && <div className={classes.lead}>{lead}</div>}
        </Box>
        {actions && <Group gap="xs">{actions}</Group>}
      </header>
      {children}
    </Box>
  );
}
