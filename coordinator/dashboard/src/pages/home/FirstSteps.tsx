import { Button } from "@mantine/core";
import { IconCheck } from "@tabler/icons-react";
import { Link } from "react-router";
import { api } from "../../api/client";
import { Panel } from "../../parts/Panel";
import classes from "./FirstSteps.module.css";

/** The way from nothing to the first account; it is shown until it was gone. */
export function FirstSteps({ agents }: { agents: number }) {
  const { data } = api.useQuery("get", "/v1/systems");
  if (!data) return null;
  const steps = [
    { done: agents > 0, title: "Enrol an agent", text: "A small service on a host of yours. It connects out; nothing connects in.", to: "/agents?enrol=1", verb: "Enrol an agent" },
    { done: data.items.some((s) => s.role !== "target"), title: "Add the HR system", text: "Where people come from: a file, a database, a directory.", to: "/systems/new?role=source", verb: "Add it" },
    { done: data.items.some((s) => s.role === "target"), title: "Add a target", text: "Where people shall have accounts: Active Directory, LDAP, an application.", to: "/systems/new?role=target", verb: "Add it" },
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
              <Button component={Link} to={s.to} variant={i === next ? "filled" : "default"} aria-label={`${s.verb}: ${s.title}`}>
                {s.verb}
              </Button>
            )}
          </li>
        ))}
      </ol>
    </Panel>
  );
}
