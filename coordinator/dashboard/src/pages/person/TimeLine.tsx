import { Text } from "@mantine/core";
import { IconCalendarEvent, IconCheck, IconDatabaseImport, IconGavel, IconHandStop, IconListCheck, IconPointFilled, IconX } from "@tabler/icons-react";
import { Link } from "react-router";
import { http, type Schema } from "../../api/client";
import { isInstant, span } from "../../api/format";
import { sentence } from "../../api/problem";
import { Empty } from "../../parts/Empty";
import { toneOf } from "../../parts/Entries";
import { Instant } from "../../parts/Instant";
import { Loading } from "../../parts/Loading";
import { More } from "../../parts/More";
import { usePages } from "../../parts/pages";
import { Panel } from "../../parts/Panel";
import { Refusal } from "../../parts/Refusal";
import { UndoLink } from "../plans/UndoButton";
import classes from "./TimeLine.module.css";

type Step = Schema["Step"];

const icons: Record<string, typeof IconCheck> = {
  "source-changed": IconDatabaseImport, "source-gone": IconDatabaseImport, planned: IconListCheck, written: IconCheck, unchanged: IconCheck,
  held: IconHandStop, failed: IconX, audit: IconGavel, approved: IconGavel, rejected: IconGavel, due: IconCalendarEvent,
};

/** What happened to a person, from the event in HR to what was written, the latest first. */
export function TimeLine({ person }: { person: string }) {
  const steps = usePages(["/v1/people/{key}/timeline", person], (cursor, signal) =>
    http.GET("/v1/people/{key}/timeline", { params: { path: { key: person }, query: { cursor, limit: 100 } }, signal }),
  );
  const { list } = steps;
  return (
    <Panel title="Time line">
      <Refusal error={steps.error} />
      {steps.isPending && <Loading />}
      {list.length > 0 && (
        <ol className={classes.line}>
          {list.map((s) => (
            <Line key={s.seq} step={s} />
          ))}
        </ol>
      )}
      {steps.isSuccess && list.length === 0 && <Empty title="Nothing has happened yet" />}
      <More of={steps} label="Show earlier" />
    </Panel>
  );
}

function Line({ step: s }: { step: Step }) {
  const Icon = icons[s.kind] ?? IconPointFilled;
  return (
    <li className={classes.step} data-tone={toneOf(s.kind)}>
      <span className={classes.mark}>
        <Icon size={14} aria-hidden />
      </span>
      <div>
        <Text fz="sm" component="div">
          <strong className={classes.kind}>{s.kind.replace("-", " ")}</strong> {sentence(s.text)}
        </Text>
        <Text fz="xs" c="dimmed" component="div">
          <Instant at={s.at} as="time" />
          {s.system && <> · <Link to={`/systems/${s.system}`}>{s.system}</Link></>}
          {s.job ? <> · <Link to={`/changes/jobs?job=${s.job}`}>job {s.job}</Link></> : null}
          {s.server && <> · {s.server}</>}
          {s.agent && <> · agent {s.agent}</>}
          {isInstant(s.began) && isInstant(s.finished) && <> · took {span(Date.parse(s.finished) - Date.parse(s.began))}</>}
          {s.kind === "written" && s.job ? <> · <UndoLink job={s.job} text={s.text} /></> : null}
          {s.since_hr ? <> · {span(s.since_hr * 1000)} after HR</> : null}
        </Text>
      </div>
    </li>
  );
}
