import { Title } from "@mantine/core";
import { type ReactNode, useId } from "react";
import classes from "./Page.module.css";

interface Props {
  title?: string;
  actions?: ReactNode;
  /** The content goes to the edge, as a table does. */
  flush?: boolean;
  children: ReactNode;
}

/** A part of a page. */
export function Panel({ title, actions, flush, children }: Props) {
  const id = useId();
  return (
    <section className={classes.panel} aria-labelledby={title ? id : undefined}>
      {title && (
        <div className={classes.panelHead}>
          <Title order={2} id={id}>
            {title}
          </Title>
          {actions}
        </div>
      )}
      <div className={flush ? undefined : classes.panelBody}>{children}</div>
    </section>
  );
}

/** Names and what they hold, one below the other. */
export function Facts({ list }: { list: [name: string, value: ReactNode][] }) {
  return (
    <dl className={classes.facts}>
      {list.map(([name, value]) => (
        <FactLine key={name} name={name} value={value} />
      ))}
    </dl>
  );
}

function FactLine({ name, value }: { name: string; value: ReactNode }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </>
  );
}
