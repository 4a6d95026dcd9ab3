import { Alert, Button, Group, List, SimpleGrid, Stack, Text } from "@mantine/core";
import { IconShieldQuestion } from "@tabler/icons-react";
import type { ReactNode } from "react";
import { Link, useParams } from "react-router";
import { api, http, type Schema } from "../../api/client";
import { count, counted } from "../../api/format";
import { sentence } from "../../api/problem";
import { useAction } from "../../parts/action";
import { Confirm } from "../../parts/Confirm";
import { Instant } from "../../parts/Instant";
import { May } from "../../parts/May";
import { Loading } from "../../parts/Loading";
import { Page } from "../../parts/Page";
import { Facts, Panel } from "../../parts/Panel";
import { Refusal } from "../../parts/Refusal";
import { State } from "../../parts/State";
import { Guardrail, tones } from "./Agents";
import { Ring } from "./Ring";

export default function Agent() {
  const { id = "" } = useParams();
  const params = { path: { id } };
  const { data: a, error, refetch } = api.useQuery("get", "/v1/agents/{id}", { params });
  const revoke = useAction(() => http.POST("/v1/agents/{id}/revoke", { params }), { done: "The agent is shut out." });
  if (!a) return <Page title="Agent">{error ? <Refusal error={error} onRetry={() => void refetch()} /> : <Loading />}</Page>;
  const shutOut = a.state !== "revoked" && (
    <May operation="revoke-agent">
      <Confirm
        title={`Revoke the agent on ${a.host}?`} verb="Revoke" danger onConfirm={() => revoke.mutate(undefined)}
        trigger={(open) => (
          <Button variant="default" c="var(--bad)" onClick={open}>
            Revoke
          </Button>
        )}
      >
        It is cut off at once, for good. Its work goes to the other agents of {a.site}; if there is none, it waits. To have it back, enrol it again.
      </Confirm>
    </May>
  );
  return (
    <Page title={a.host} lead={<><Link to="/agents">Agents</Link> / <span className="mono">{a.id}</span></>} actions={shutOut}>
      <Stack gap="md">
        <Approval agent={a} />
        <SimpleGrid cols={{ base: 1, md: 2 }} spacing="md">
          <Panel title="Agent">
            <Facts
              list={[
                ["State", <State of={a.state} />],
                [a.state === "connected" ? "Connected since" : "Last heard of", <Instant at={a.state === "connected" ? a.connected : a.seen} />],
                ["Site", a.site],
                ["Version", a.version],
                ["Update ring", <Ring agent={a} />],
                ["Update", <Update of={a.update} />],
                ["Platform", a.platform || "not told"],
                ["Enrolled", <Instant at={a.enrolled} />],
                ["Certificate ends", <><Instant at={a.cert_expires} /> <Text span c="dimmed" fz="xs">renewed by itself before</Text></>],
                ["Attested", counted(a.generation, "time")],
              ]}
            />
          </Panel>
          <GuardrailPanel of={a.guardrail} />
          <Queue site={a.site} />
          <Panel title="Connectors">
            <Facts list={(a.connectors ?? []).map((c) => [c.split(" ")[0] ?? c, c.split(" ")[1] ?? ""])} />
          </Panel>
        </SimpleGrid>
      </Stack>
    </Page>
  );
}

/** How the update of an agent stands, and why. */
function Update({ of: u }: { of: Schema["Agent"]["update"] }) {
  if (!u) return <Text c="dimmed" fz="sm">This agent does not update itself: agent.yaml of its host names nobody who signs releases.</Text>;
  return (
    <Stack gap={2}>
      <span>
        <State of={u.state} tone={tones[u.state]}>{u.state}</State> {u.state === "current" ? "" : u.version} <Text span c="dimmed" fz="xs">since <Instant at={u.since} /></Text>
      </span>
      {u.cause && <Text fz="sm">{u.cause}</Text>}
      {u.previous && <Text c="dimmed" fz="xs">Would go back to {u.previous}.</Text>}
    </Stack>
  );
}

function GuardrailPanel({ of: g }: { of: Schema["Guardrail"] }) {
  return (
    <Panel title="Guardrail in force">
      <Stack gap="sm">
        <Text fz="sm" c="dimmed">
          The domain admin's own policy on the agent's host. It is shown here and cannot be changed from here.
        </Text>
        <Facts
          list={[
            ["Mode", <Guardrail of={g} />],
            ["Signed", g.signed ? "yes" : "no"],
            ["Waiting on the host", count(g.waiting)],
            ["Denied since its start", count(g.denied)],
            ...(g.digest ? ([["File", <span className="mono">{g.digest}</span>]] as [string, ReactNode][]) : []),
          ]}
        />
        {g.fault && <Alert color="red" variant="default" title={sentence(g.fault.cause)}>{g.fault.next_step}</Alert>}
        <List size="sm" spacing={2}>
          {(g.summary ?? []).map((line) => (
            <List.Item key={line}>{line}</List.Item>
          ))}
        </List>
      </Stack>
    </Panel>
  );
}

/** What waits at the site's systems. */
function Queue({ site }: { site: string }) {
  const { data } = api.useQuery("get", "/v1/systems", {});
  const here = (data?.items ?? []).filter((s) => s.site === site);
  return (
    <Panel title={`Queue at ${site}`}>
      {here.length === 0 ? (
        <Text fz="sm" c="dimmed">
          No system is at this site yet.
        </Text>
      ) : (
        <Facts list={here.map((s) => [s.name, <><State of={s.state} /> <Text span c="dimmed" fz="sm">{count(s.waiting)} waiting{s.parallel ? `, ${s.parallel} at a time` : ""}</Text></>])} />
      )}
    </Panel>
  );
}

/** What an agent asks for that must be attested anew. */
function Approval({ agent }: { agent: Schema["Agent"] }) {
  const params = { path: { id: agent.id } };
  const body = { key: agent.approval?.key };
  const approve = useAction(() => http.POST("/v1/agents/{id}/approve", { params, body }), { done: "Approved: it fetches its certificate by itself." });
  const decline = useAction(() => http.POST("/v1/agents/{id}/decline", { params, body }), { done: "Declined." });
  if (agent.approval?.state !== "waiting") return null;
  return (
    <Alert variant="default" icon={<IconShieldQuestion size={18} color="var(--warn)" aria-hidden />} title={`Host ${agent.approval.host} asks to be attested anew`}>
      <Stack gap="xs">
        <Text fz="sm">{sentence(agent.approval.why)}</Text>
        <Text fz="sm">
          Compare this key with what <span className="mono">drawbridge-agent status</span> shows on the host: <span className="mono">{agent.approval.key}</span>
        </Text>
        <May operation="approve-agent">
          <Group gap="xs">
            <Button onClick={() => approve.mutate(undefined)}>The keys are the same: approve</Button>
            <Button variant="default" onClick={() => decline.mutate(undefined)}>
              Decline
            </Button>
          </Group>
        </May>
      </Stack>
    </Alert>
  );
}
