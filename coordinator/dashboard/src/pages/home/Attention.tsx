import { Button, Text } from "@mantine/core";
import { IconAlertTriangle, IconHandStop, IconPlugConnectedX, IconRouter } from "@tabler/icons-react";
import type { ReactNode } from "react";
import { Link } from "react-router";
import type { Schema } from "../../api/client";
import { counted } from "../../api/format";
import { sentence } from "../../api/problem";
import { Instant } from "../../parts/Instant";
import { Panel } from "../../parts/Panel";
import { whyHeld } from "../cycles/HeldCycle";
import classes from "./Attention.module.css";

type Status = Schema["Status"];

/** What waits for a person, and why; nothing where nothing does. */
export function Attention({ status }: { status: Status }) {
  const lines = [...agents(status), ...systems(status), ...cycles(status), ...held(status), ...problems(status)];
  if (lines.length === 0) return null;
  return (
    <Panel title="Waits for you" flush>
      <ul className={classes.list}>{lines}</ul>
    </Panel>
  );
}

function Line({ icon, title, children, to, verb }: { icon: ReactNode; title: ReactNode; children?: ReactNode; to: string; verb: string }) {
  return (
    <li className={classes.line}>
      <span className={classes.icon}>{icon}</span>
      <div className={classes.text}>
        <Text fz="sm" fw={550}>
          {title}
        </Text>
        {children && (
          <Text fz="sm" c="dimmed">
            {children}
          </Text>
        )}
      </div>
      <Button component={Link} to={to} variant="default">
        {verb}
      </Button>
    </li>
  );
}

const agents = (s: Status) =>
  (s.agents ?? [])
    .filter((a) => a.state === "away" || a.approval?.state === "waiting")
    .map((a) => (
      <Line
        key={`agent ${a.id}`} icon={<IconRouter size={18} color="var(--bad)" aria-hidden />} to={`/agents/${a.id}`} verb="Look"
        title={a.approval?.state === "waiting" ? `The agent on ${a.host} asks to be attested anew` : `The agent on ${a.host} is away`}
      >
        {a.approval?.state === "waiting" ? sentence(a.approval.why) : (
          <>Last heard of <Instant at={a.seen} />. Its work waits for it, or goes to another agent of {a.site}.</>
        )}
      </Line>
    ));

const systems = (s: Status) =>
  (s.systems ?? [])
    .filter((y) => y.state === "failing")
    .map((y) => (
      <Line key={`system ${y.name}`} icon={<IconPlugConnectedX size={18} color="var(--bad)" aria-hidden />} to={`/systems/${y.name}`} verb="Look" title={`${y.name} fails`}>
        {y.fault && sentence(y.fault.cause)} {y.fault?.next_step}
      </Line>
    ));

const cycles = (s: Status) =>
  (s.cycles ?? [])
    .filter((c) => c.state === "held")
    .map((c) => (
      <Line key={`cycle ${c.id}`} icon={<IconHandStop size={18} color="var(--warn)" aria-hidden />} to="/changes" verb="Decide" title={`A read of ${c.system} is held: ${counted(c.deleted, "object")} gone`}>
        {whyHeld(c.reason)}
      </Line>
    ));

const held = (s: Status) =>
  (s.held ?? []).map((h) => (
    <Line
      key={`held ${h.system} ${h.class}`} icon={<IconHandStop size={18} color="var(--warn)" aria-hidden />} to="/changes" verb="Decide"
      title={`${counted(h.count, "change")} of class ${h.class} in ${h.system} ${h.count === 1 ? "waits" : "wait"} for approval`}
    >
      {sentence(h.reason)}
    </Line>
  ));

const problems = (s: Status) =>
  s.problems > 0
    ? [
        <Line key="problems" icon={<IconAlertTriangle size={18} color="var(--warn)" aria-hidden />} to="/problems" verb="Look" title={`${counted(s.problems, "account")} cannot be made as wanted`}>
          Each with its cause and how to mend it.
        </Line>,
      ]
    : [];
