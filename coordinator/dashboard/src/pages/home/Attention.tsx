import { Button, Text } from "@mantine/core";
import { IconAlertTriangle, IconBolt, IconHandStop, IconKey, IconPlugConnectedX, IconRouter } from "@tabler/icons-react";
import { Link } from "react-router";
import type { Schema } from "../../api/client";
import { sentence } from "../../api/problem";
import { Panel } from "../../parts/Panel";
import { whyHeld } from "../cycles/HeldCycle";
import classes from "./Attention.module.css";

type Point = Schema["Point"];

const kinds = {
  agent: { icon: IconRouter, verb: "Look", to: (p: Point) => `/agents/${p.name}` },
  approval: { icon: IconRouter, verb: "Decide", to: (p: Point) => `/agents/${p.name}` },
  system: { icon: IconPlugConnectedX, verb: "Look", to: (p: Point) => `/systems/${p.name}` },
  cycle: { icon: IconHandStop, verb: "Decide", to: () => "/changes" },
  held: { icon: IconHandStop, verb: "Decide", to: () => "/changes" },
  problem: { icon: IconAlertTriangle, verb: "Look", to: () => "/problems" },
  password: { icon: IconKey, verb: "Look", to: () => "/settings/passwords" },
  backlog: { icon: IconBolt, verb: "Look", to: () => "/changes/jobs?state=open" },
};

/** What is not as it should be, the gravest first, and where to do something about it; nothing where all is well. */
export function Attention({ home }: { home: Schema["Home"] }) {
  const points = home.points ?? [];
  if (points.length === 0) return null;
  return (
    <Panel title="Waits for you" flush>
      <ul className={classes.list}>
        {points.map((p) => (
          <Line key={`${p.what} ${p.name} ${p.text}`} point={p} />
        ))}
      </ul>
    </Panel>
  );
}

function Line({ point: p }: { point: Point }) {
  const { icon: Icon, verb, to } = kinds[p.what];
  return (
    <li className={classes.line}>
      <span className={classes.icon}>
        <Icon size={18} aria-hidden color={p.level === "bad" ? "var(--bad)" : "var(--warn)"} />
      </span>
      <div className={classes.text}>
        <Text fz="sm" fw={550}>
          {whyHeld(p.text)}
        </Text>
        <Text fz="sm" c="dimmed">
          {sentence(p.next_step)}
        </Text>
      </div>
      <Button component={Link} to={to(p)} variant="default" aria-label={`${verb}: ${p.text}`}>
        {verb}
      </Button>
    </li>
  );
}
