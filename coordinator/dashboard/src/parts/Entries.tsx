import { Link } from "react-router";
import type { Schema } from "../api/client";
import { sentence } from "../api/problem";
import { Instant } from "./Instant";
import classes from "./Entries.module.css";
import type { Tone } from "./State";

type Entry = Schema["Entry"];

const tones: Record<string, Tone> = { written: "good", planned: "busy", held: "warn", failed: "bad", problem: "bad", refused: "bad", audit: "calm", source: "busy", approved: "good" };
export const toneOf = (kind: string): Tone => tones[kind] ?? "calm";

/** Lines of the provisioning log. */
export function Entries({ list, short }: { list: Entry[]; short?: boolean }) {
  return (
    <ul className={classes.list}>
      {list.map((e) => (
        <li key={e.seq} className={classes.line} data-short={short || undefined}>
          <span className={classes.at}>
            <Instant at={e.at} as={short ? "relative" : "time"} />
          </span>
          <span className={classes.kind} data-tone={toneOf(e.kind)}>
            {e.kind.replaceAll("-", " ")}
          </span>
          <span className={classes.text} data-short={short || undefined} title={short ? e.text : undefined}>
            {e.person && <Link to={`/people/${encodeURIComponent(e.person)}`}>{e.person}</Link>} {sentence(e.text)}
            {!short && e.job ? <> <Link to={`/changes/jobs?job=${e.job}`} className={classes.job}>job {e.job}</Link></> : null}
          </span>
          {!short && <span className={classes.system}>{e.system && <Link to={`/systems/${e.system}`}>{e.system}</Link>}</span>}
        </li>
      ))}
    </ul>
  );
}
