import { Alert, Button, Group, Text } from "@mantine/core";
import { IconAlertTriangle } from "@tabler/icons-react";
import { Link } from "react-router";
import type { Schema } from "../../api/client";
import { sentence } from "../../api/problem";
import { Instant } from "../../parts/Instant";
import { Panel } from "../../parts/Panel";
import { State } from "../../parts/State";
import { Exchange, useRetry, Where } from "../problems/Problems";
import { Explained } from "./Explained";
import { Memberships } from "./Memberships";
import { OriginLine, RuleLine } from "./Origin";
import { Values } from "./Values";
import classes from "./Values.module.css";

type Account = Schema["Account"];
type Value = Schema["Value"];

/** An account with every value: what is there, what shall be, and why. */
export function AccountPanel({ account: a, person }: { account: Account; person: Schema["Person"] }) {
  const values = a.values ?? [];
  const retry = useRetry();
  return (
    <Panel
      title={a.system} flush
      actions={
        <Group gap="md" fz="sm">
          <State of={a.state}>{a.state === "wanted" ? "wanted, not there yet" : a.state}</State>
          {a.enabled && <State of={a.enabled === "yes" ? "active" : "left"}>{a.enabled === "yes" ? "enabled" : "disabled"}</State>}
          {a.changed && (
            <Text span c="dimmed" fz="xs">
              changed <Instant at={a.changed} />
            </Text>
          )}
        </Group>
      }
    >
      {a.address && !values.some((v) => v.attribute === "address") && (
        <Text px={14} pt={10} pb={6} fz="sm" className="mono" c="dimmed">
          {a.address}
        </Text>
      )}
      {a.problem && (
        <Alert m="sm" variant="default" icon={<IconAlertTriangle size={18} color="var(--warn)" aria-hidden />} title={sentence(a.problem.fault.cause)}>
          <Where of={a.problem.fault} />
          {a.problem.fault.next_step}
          <Exchange job={a.problem.job} />
          <div style={{ marginTop: 8 }}>
            <Button variant="default" loading={retry.isPending} onClick={() => retry.mutate({ person: person.key, system: a.system })}>
              Try again
            </Button>
          </div>
        </Alert>
      )}
      {(a.open ?? []).map((j) => (
        <Group key={j.id} px={14} py={6} gap="sm" fz="sm">
          <State of={j.state} /> {sentence(j.text)}
          {j.fault && <Text c="dimmed" fz="sm">{sentence(j.fault.cause)}</Text>}
        </Group>
      ))}
      {(a.waits ?? []).length > 0 && (
        <Text px={14} py={6} fz="sm">
          Waits for the account of{" "}
          {(a.waits ?? []).map((k) => (
            <Link key={k} to={`/people/${encodeURIComponent(k)}`}>
              {k}{" "}
            </Link>
          ))}
        </Text>
      )}
      {values.map((v) => (
        <ValueLine key={v.attribute} value={v} />
      ))}
      <Memberships account={a} />
      {values.length === 0 && (
        <Text px={14} py={10} fz="sm" c="dimmed">
          {person.display} is read from here; no rule writes anything.
        </Text>
      )}
    </Panel>
  );
}

/** Whose accounts the values of a reference name; the id itself where that is not known, and on hover. */
function Holders({ of, people }: { of: string[] | null; people: Schema["Holder"][] }) {
  return (
    <span className={classes.values}>
      {(of ?? []).map((id) => {
        const holder = people.find((p) => p.value === id);
        return <span key={id} title={id}>{holder ? `${holder.display} (${holder.key})` : id}</span>;
      })}
      {!of?.length && <span className={classes.none}>nothing</span>}
    </span>
  );
}

function ValueLine({ value: v }: { value: Value }) {
  const note = v.pending ? sentence(v.pending) : v.written ? <>written <Instant at={v.written.at} /></> : v.rule ? "was so before" : "";
  return (
    <Explained
      name={v.attribute} note={note}
      value={
        <>
          {v.people?.length ? <Holders of={v.values} people={v.people} /> : <Values of={v.values} />}
          {v.want && (
            <Text span fz="sm" c="var(--busy)">
              {" "}→ {v.people?.length ? <Holders of={v.want} people={v.people} /> : <Values of={v.want} />}
            </Text>
          )}
        </>
      }
    >
      <ol className={classes.chain}>
        {(v.inputs ?? []).map((i) => (
          <li key={i.name}>{i.origin ? <OriginLine of={i.origin} /> : <span className="mono">{i.name} = {JSON.stringify(i.value)}</span>}
            <div><span className="mono">{i.name}</span> <span className={classes.step}>of the person is</span> {i.value === "" ? <em>nothing</em> : i.value}</div>
          </li>
        ))}
        {v.rule && (
          <li>
            <RuleLine rule={v.rule} />
          </li>
        )}
        {v.written ? (
          <li>
            Written <Instant at={v.written.at} as="time" /> by <Link to={`/changes/jobs?job=${v.written.job}`}>job {v.written.job}</Link>
            {v.written.agent && <> on agent {v.written.agent}</>}
            {v.written.server && <> to {v.written.server}</>}
          </li>
        ) : (
          v.rule && <li>It was so before; Drawbridge never had to write it.</li>
        )}
      </ol>
    </Explained>
  );
}
