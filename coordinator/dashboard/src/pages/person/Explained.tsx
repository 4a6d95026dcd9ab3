import { IconChevronRight } from "@tabler/icons-react";
import { type ReactNode, useId, useState } from "react";
import classes from "./Values.module.css";

interface Props {
  name: string;
  value: ReactNode;
  note?: ReactNode;
  children: ReactNode;
}

/** A value, and where it comes from when one asks. */
export function Explained({ name, value, note, children }: Props) {
  const [open, setOpen] = useState(false);
  const id = useId();
  return (
    <div className={classes.row}>
      <button type="button" className={classes.head} aria-expanded={open} aria-controls={id} onClick={() => setOpen(!open)}>
        <span className={classes.name}>{name}</span>
        <span className={classes.value}>{value}</span>
        <span className={classes.note}>{note}</span>
        <span className={classes.chevron}>
          <IconChevronRight size={15} aria-hidden />
        </span>
      </button>
      <div id={id} className={classes.why} hidden={!open}>
        {open && children}
      </div>
    </div>
  );
}
