import { Text } from "@mantine/core";
import { Link } from "react-router";
import { api, type Schema } from "../../api/client";
import { Panel } from "../../parts/Panel";
import { ProgressLine } from "../cycles/ProgressLine";
import classes from "./Attention.module.css";

/** Reads under way, with how far they are. */
export function Running({ cycles }: { cycles: Schema["Cycle"][] }) {
  const reading = cycles.filter((c) => c.state === "reading");
  if (reading.length === 0) return null;
  return (
    <Panel title="Goes on now" flush>
      <ul className={classes.list}>
        {reading.map((c) => (
          <One key={c.id} cycle={c} />
        ))}
      </ul>
    </Panel>
  );
}

function One({ cycle }: { cycle: Schema["Cycle"] }) {
  const { data } = api.useQuery("get", "/v1/cycles/{id}", { params: { path: { id: cycle.id } } }, { refetchInterval: 1_000 });
  return (
    <li className={classes.line}>
      <div className={classes.text}>
        <Text fz="sm" fw={550}>
          <Link to={`/cycles/${cycle.id}`}>Reading {cycle.system}</Link>
        </Text>
        {data && <ProgressLine of={data.progress} />}
      </div>
    </li>
  );
}
