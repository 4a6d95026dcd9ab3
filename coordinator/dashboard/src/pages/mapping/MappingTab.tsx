import { Alert, Autocomplete, Button, Group, SegmentedControl, Stack, Text } from "@mantine/core";
import { useState } from "react";
import { useSearchParams } from "react-router";
import { api, type Schema } from "../../api/client";
import { useCheck } from "../../api/documents";
import { May } from "../../parts/May";
import { Panel } from "../../parts/Panel";
import { Refusal } from "../../parts/Refusal";
import { isOff, rulesOf, sidesOf, turnedOn, type Rule, type Side, withAttribute, withExpression, without, withOption } from "./document";
import { ForecastPanel, useForecast } from "./ForecastPanel";
import classes from "./Mapping.module.css";
import { paths } from "./paths";
import { PersonPicker } from "./PersonPicker";
import { RuleRow } from "./RuleRow";
import { Steps } from "./Steps";
import { faultOf, outcomeOf, useTrial } from "./trial";

/** The mapping of a system, rule by rule, tried on a real person while it is written. */
export function MappingTab({ system }: { system: Schema["SystemDetail"] }) {
  const [draft, setDraft] = useState<string>();
  const text = draft ?? system.document;
  const sides = sidesOf(text);
  const [side, setSide] = useState<Side>(sides.includes("target") ? "target" : "source");
  const person = usePerson();
  const tried = useTrial(system.name, text, person.key);
  const checked = useCheck(system.name, text, person.nobody && text !== system.document);
  const { trial, error } = tried;
  const faults = person.nobody ? checked.faults : tried.faults;
  const forecast = useForecast(system.name, text, () => setDraft(undefined));
  const changed = text !== system.document;
  return (
    <Stack gap="md">
      {isOff(text, side) && <Off side={side} onTurnOn={() => setDraft(turnedOn(text, side))} />}
      <Panel
        title="Rules" flush
        actions={
          <Group gap="xs">
            {sides.length > 1 && <SegmentedControl aria-label="Direction" data={[{ value: "source", label: "System to people" }, { value: "target", label: "People to system" }]} value={side} onChange={(v) => setSide(v as Side)} />}
            {changed && (
              <Button variant="default" onClick={() => setDraft(undefined)}>
                Discard
              </Button>
            )}
            <May operation="plan-configuration">
              <Button disabled={!changed || faults.length > 0} loading={forecast.asking} onClick={forecast.ask}>
                What would change?
              </Button>
            </May>
          </Group>
        }
      >
        <Group p="sm" align="flex-end" justify="space-between">
          {person.nobody ? (
            <Text fz="sm" c="dimmed">
              There is nobody yet to try it on. What is written is checked.
            </Text>
          ) : (
            <PersonPicker label="Try it on" value={person.key} onChange={person.choose} />
          )}
          {trial && <Text fz="xs" c="dimmed">{changed ? "Not saved yet: this is what it would be." : "This is what it gives now."}</Text>}
        </Group>
        {faults.length === 0 && error ? <Refusal error={error} /> : null}
        <Rules {...{ system, text, side, trial, faults }} onChange={setDraft} />
      </Panel>
      {side === "target" && <Steps account={trial?.accounts.find((a) => a.system === system.name)} title={`What would be done for ${trial?.display ?? ""}`} />}
      <ForecastPanel forecast={forecast} />
    </Stack>
  );
}

/** Whom the mapping is tried on: whom the address names, else the first person there is. */
function usePerson() {
  const [query, setQuery] = useSearchParams();
  const { data } = api.useQuery("get", "/v1/people", { params: { query: { limit: 1 } } });
  return { key: query.get("person") ?? data?.items[0]?.key ?? "", nobody: data?.items.length === 0, choose: (key: string) => setQuery({ person: key }, { replace: true }) };
}

interface RulesProps {
  system: Schema["SystemDetail"];
  text: string;
  side: Side;
  trial: ReturnType<typeof useTrial>["trial"];
  faults: ReturnType<typeof useTrial>["faults"];
  onChange: (text: string) => void;
}

function Rules({ system, text, side, trial, faults, onChange }: RulesProps) {
  const [open, setOpen] = useState<string>();
  const { data: schema } = api.useQuery("get", "/v1/systems/{name}/schema", { params: { path: { name: system.name } } });
  const rules = rulesOf(text, side);
  const [first] = text.match(new RegExp(`^${side}:[\\s\\S]*?^  class: *(\\S+)`, "m"))?.slice(1) ?? [];
  const attributes = (schema?.classes?.find((c) => c.name === first)?.attributes ?? []).filter((a) => side === "source" || !a.read_only).map((a) => a.name);
  const names = side === "target" ? paths : attributes;
  const free = (side === "target" ? attributes : paths).filter((a) => !rules.some((r) => r.name === a));
  const row = (rule: Rule, i: number) => (
    <div key={rule.name}>
      {rules[i - 1]?.section !== rule.section && <h3 className={classes.section}>{rule.section}</h3>}
      <RuleRow
        rule={rule} names={names} outcome={outcomeOf(trial, system.name, side, rule)} fault={faultOf(faults, rule)} open={open === rule.name}
        onToggle={() => setOpen(open === rule.name ? undefined : rule.name)} onExpression={(e) => onChange(withExpression(text, rule, e))}
        onOption={(option, value) => onChange(withOption(text, rule, option, value))} onRemove={() => onChange(without(text, rule.path))}
      />
    </div>
  );
  return (
    <>
      {rules.map(row)}
      <AddRule
        free={free} side={side}
        onAdd={(name) => {
          onChange(withAttribute(text, side, name, '""'));
          setOpen(name);
        }}
      />
    </>
  );
}

function AddRule({ free, side, onAdd }: { free: string[]; side: Side; onAdd: (name: string) => void }) {
  const [name, setName] = useState("");
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        if (name.trim()) onAdd(name.trim());
        setName("");
      }}
    >
      <Group p="sm" gap="xs" className={classes.rule}>
        <Autocomplete aria-label="Attribute to add" placeholder={side === "target" ? "Attribute of the system" : "Attribute of people"} data={free} limit={30} value={name} onChange={setName} size="xs" w={260} />
        <Button type="submit" variant="default" disabled={name.trim() === ""}>
          Add a rule
        </Button>
      </Group>
    </form>
  );
}

/** Says that a new system does nothing yet, and turns it on. */
function Off({ side, onTurnOn }: { side: Side; onTurnOn: () => void }) {
  return (
    <Alert variant="default" title={side === "target" ? "This target is for nobody yet" : "This source makes nobody yet"}>
      <Group justify="space-between">
        <Text fz="sm" maw={640}>
          {side === "target"
            ? "Look at what the rules give for some people, then turn it on. You see what would change before it is saved; afterwards nothing is written before somebody has approved it, until the overview of the system says otherwise."
            : "Fill in what is known of people from its columns, then turn it on: everybody in it becomes a person."}
        </Text>
        <Button onClick={onTurnOn}>Turn it on</Button>
      </Group>
    </Alert>
  );
}
