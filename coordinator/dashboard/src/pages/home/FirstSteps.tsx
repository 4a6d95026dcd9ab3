import { Button } from "@mantine/core";
import { IconCheck } from "@tabler/icons-react";
import { Link } from "react-router";
import type { Schema } from "../../api/client";
import { Panel } from "../../parts/Panel";
import classes from "./FirstSteps.module.css";

/** The way from nothing to the first account; gone once it was gone. */
export function FirstSteps({ status }: { status: Schema["Status"] }) {
  const systems = status.systems ?? [];
  const agent = (status.agents ?? []).some((a) => a.state !== "revoked");
  const source = systems.some((s) => s.role === "source" || s.role === "both");
  const target = systems.some((s) => s.role === "target");
  const steps = [
    { done: agent, title: "Enrol an agent", text: "A small service on a host of yours; it connects out, nothing connects in.", to: "/agents?enrol=1", verb: "Enrol an agent" },
    { done: source, title: "Add the HR system", text: "Where people come from: a file, a database, a directory.", to: "/systems/new?role=source", verb: "Add it" },
    { done: target, title: "Add a target", text: "Where people shall have accounts: Active Directory, LDAP, an application.", to: "/systems/new?role=target", verb: "Add it" },
  ];
  if (steps.every((s) => s.done)) return null;
  const next = steps.findIndex((s) => !s.done);
  return (
    <Panel title="First steps" flush>
      <ol className={classes.list}>
        {steps.map((s, i) => (
          <li key={s.title} className={classes.step} data-done={s.done || undefined}>
            <span className={classes.mark} aria-hidden>
              {s.done ? <IconCheck size={14} /> : i + 1}
            </span>
            <div className={classes.text}>
              <strong>{s.title}</strong>
              <p>{s.done ? "Done" : s.text}</p>
            </div>
            {!s.done && (
              <Button component={Link} to={s.to} variant={i === next ? "filled" : "default"}>
                {s.verb}
              </Button>
            )}
          </li>
        ))}
      </ol>
    </Panel>
  );
}
