import { Link } from "react-router";
import type { Schema } from "../../api/client";
import classes from "./Values.module.css";

/** The rule, with the line of the document that it stands in. */
export function RuleLine({ rule }: { rule: Schema["Rule"] }) {
  return (
    <>
      <span className="mono">{rule.text}</span>{" "}
      <span className={classes.step}>
        rule of <Link to={`/systems/${rule.document}/document`}>{rule.document}</Link>
        {rule.line ? `, line ${rule.line}` : ""}
      </span>
    </>
  );
}

/** Where a value stood in a source, and by which rule it was read. */
export function OriginLine({ of: o }: { of: Schema["Origin"] }) {
  return (
    <>
      {(o.inputs ?? []).map((t) => (
        <span key={t.name}>
          <span className="mono">
            {t.name} = {t.value === "" ? "(empty)" : JSON.stringify(t.value)}
          </span>{" "}
        </span>
      ))}
      <span className={classes.step}>
        record {o.record} of <Link to={`/systems/${o.system}`}>{o.system}</Link>
        {o.place ? `, ${o.place}` : ""}
      </span>
    </>
  );
}
