import { IconChevronRight } from "@tabler/icons-react";
import { useId } from "react";
import { sentence, type Fault } from "../../api/problem";
import type { Rule } from "./document";
import classes from "./Mapping.module.css";
import { RuleEdit } from "./RuleEdit";
import type { Tried } from "./trial";

interface Props {
  rule: Rule;
  outcome?: Tried;
  fault?: Fault;
  names: string[];
  open: boolean;
  onToggle: () => void;
  onExpression: (text: string) => void;
  onOption: (option: string, value: string | null) => void;
  onRemove: () => void;
}

/** A rule with what it gives for the person at hand; opened, it can be changed. */
export function RuleRow(props: Props) {
  const { rule, outcome, fault, open, onToggle } = props;
  const id = useId();
  return (
    <div className={classes.rule}>
      <button type="button" className={classes.head} aria-expanded={open} aria-controls={id} onClick={onToggle}>
        <span className={classes.name}>{rule.name}</span>
        <span className={classes.text}>{rule.person ? `account of ${rule.expression}` : rule.expression}</span>
        <span className={classes.value}>
          <Outcome of={outcome} fault={fault} />
        </span>
        <span className={classes.chevron}>
          <IconChevronRight size={15} aria-hidden />
        </span>
      </button>
      <div id={id} hidden={!open}>
        {open && <RuleEdit {...props} />}
      </div>
    </div>
  );
}

/** What a rule gives: its values, nothing, or why it gives none. */
export function Outcome({ of: o, fault }: { of?: Tried; fault?: Fault }) {
  if (fault) return <span className={classes.fault}>{sentence(fault.message ?? "It has a fault")}</span>;
  if (!o) return null;
  if (o.state === "fault") return <span className={classes.fault}>{sentence(o.fault ?? "It has a fault")}</span>;
  if (o.state === "absent") return <span className={classes.none}>says nothing</span>;
  if (o.state === "empty" || !o.values?.length) return <span className={classes.none}>nothing{o.changes ? ": it is cleared" : ""}</span>;
  return (
    <span className={o.changes ? classes.changes : undefined}>
      {o.values.join(", ")}
      {o.changes && o.now?.length ? ` (now ${o.now.join(", ")})` : ""}
    </span>
  );
}
