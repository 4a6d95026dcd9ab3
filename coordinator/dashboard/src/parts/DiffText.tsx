import classes from "./DiffText.module.css";

/** A unified difference, with what was added and removed in colour and by sign. */
export function DiffText({ text, label }: { text: string; label: string }) {
  return (
    <pre className={classes.diff} tabIndex={0} aria-label={label}>
      {text.replace(/\n$/, "").split("\n").filter((l) => !/^(---|\+\+\+|diff) /.test(l)).map((line, i) => (
        <span key={i} data-kind={line.startsWith("+") ? "added" : line.startsWith("-") ? "removed" : line.startsWith("@@") ? "place" : undefined}>
          {line || " "}
        </span>
      ))}
    </pre>
  );
}
