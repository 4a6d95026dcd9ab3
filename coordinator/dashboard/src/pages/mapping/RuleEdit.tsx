import { Button, Group, Select, Stack, Text } from "@mantine/core";
import { sentence, type Fault } from "../../api/problem";
import type { Rule } from "./document";
import { Expression } from "./Expression";
import { calledIn } from "./functions";
import classes from "./Mapping.module.css";
import { Outcome } from "./RuleRow";
import type { Tried } from "./trial";

interface Props {
  rule: Rule;
  outcome?: Tried;
  fault?: Fault;
  names: string[];
  onExpression: (text: string) => void;
  onOption: (option: string, value: string | null) => void;
  onRemove: () => void;
}

const options = [
  { name: "apply", label: "Write", standard: "always, when it differs", choices: { create: "only when the account is made", if_empty: "only where there is no value" } },
  { name: "keep", label: "Other values there", standard: "go", choices: { old: "stay", alias: "stay; a primary address becomes an alias" } },
  { name: "empty", label: "Where it gives nothing", standard: "the attribute is cleared", choices: { keep: "the attribute is left alone" } },
  { name: "drift", label: "What others write there", standard: "is put back", choices: { adopt: "stands until the rule wants something else", leave: "stays until somebody decides" } },
];

/** Changes a rule, with what it gives, what it looks at, and what its functions do. */
export function RuleEdit({ rule, outcome, fault, names, onExpression, onOption, onRemove }: Props) {
  const attribute = rule.section === "Attributes";
  return (
    <div className={classes.edit}>
      <Stack gap="sm">
        <Expression label={`Expression of ${rule.name}`} value={rule.expression} onChange={onExpression} names={names} />
        <div role="status">
          <Text fz="sm" component="div">
            <Text span c="dimmed" fz="sm">gives </Text>
            <Outcome of={outcome} fault={fault} />
          </Text>
          {fault?.next_step && <Text fz="sm" c="dimmed">{sentence(fault.next_step)}</Text>}
          {outcome?.note && <Text fz="sm" c="dimmed">{sentence(outcome.note)}</Text>}
        </div>
        {(outcome?.inputs ?? []).length > 0 && (
          <Text fz="xs" c="dimmed" component="div">
            {outcome?.inputs?.map((i) => (
              <div key={i.name}>
                <span className="mono">{i.name}</span> = {i.value === "" ? <em>nothing</em> : i.value}
              </div>
            ))}
          </Text>
        )}
        <Functions of={rule.expression} />
      </Stack>
      <Stack gap="xs">
        {attribute && rule.path[0] === "target" &&
          options.map((o) => (
            <Select
              key={o.name} label={o.label} placeholder={o.standard} clearable size="xs" value={o.choices[(rule.options[o.name] ?? "") as keyof typeof o.choices] ? (rule.options[o.name] ?? null) : null}
              data={Object.entries(o.choices).map(([value, label]) => ({ value, label: label ?? value }))} onChange={(v) => onOption(o.name, v)}
            />
          ))}
        <Group justify="flex-end">
          {(attribute || rule.section === "Groups") && (
            <Button size="compact-xs" variant="subtle" color="red" c="var(--bad)" onClick={onRemove}>
              Remove this rule
            </Button>
          )}
        </Group>
      </Stack>
    </div>
  );
}

/** What the functions of an expression do. */
function Functions({ of }: { of: string }) {
  const called = calledIn(of);
  if (called.length === 0) return null;
  return (
    <ul className={classes.help} aria-label="What its functions do">
      {called.map((f) => (
        <li key={f.signature}>
          <code>{f.signature}</code> {f.text}
        </li>
      ))}
    </ul>
  );
}
