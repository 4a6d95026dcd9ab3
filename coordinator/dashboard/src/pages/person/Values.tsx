import classes from "./Values.module.css";

/** A date, which is kept as the midnight that it begins with, as one. */
const dayOf = (value: string) => value.replace(/^(\d{4}-\d\d-\d\d)T00:00:00Z$/, "$1");

/** The values of an attribute; "nothing" where it is known to hold none. */
export function Values({ of }: { of: string[] | null | undefined }) {
  if (!of?.length) return <span className={classes.none}>nothing</span>;
  return (
    <span className={classes.values}>
      {of.map((v, i) => (
        <span key={i}>{dayOf(v)}</span>
      ))}
    </span>
  );
}
