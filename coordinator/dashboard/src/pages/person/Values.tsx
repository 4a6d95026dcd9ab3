import classes from "./Values.module.css";

/** The values of an attribute; "nothing" where it is known to hold none. */
export function Values({ of }: { of: string[] | null | undefined }) {
  if (!of?.length) return <span className={classes.none}>nothing</span>;
  return (
    <span className={classes.values}>
      {of.map((v, i) => (
        <span key={i}>{v}</span>
      ))}
    </span>
  );
}
