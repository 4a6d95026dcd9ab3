import { Stack, Tabs } from "@mantine/core";
import { Link, useParams, useSearchParams } from "react-router";
import { api } from "../../api/client";
import { Instant } from "../../parts/Instant";
import { Loading } from "../../parts/Loading";
import { Page } from "../../parts/Page";
import { Panel } from "../../parts/Panel";
import { Refusal } from "../../parts/Refusal";
import { State } from "../../parts/State";
import { AccountPanel } from "./AccountPanel";
import { Ahead } from "./Ahead";
import { Attributes } from "./Attributes";
import { LookNow } from "./LookNow";
import { NewPassword } from "./NewPassword";
import { Preview } from "./Preview";
import { Records } from "./Records";
import { UndoButton } from "../plans/UndoButton";
import { TimeLine } from "./TimeLine";

/** Everything about one person: accounts, what is known from where, and what happened. */
export default function Person() {
  const { key = "" } = useParams();
  const [query, setQuery] = useSearchParams();
  const { data: p, error, refetch } = api.useQuery("get", "/v1/people/{key}", { params: { path: { key } } });
  if (!p) {
    return (
      <Page title={key}>
        <Panel>{error ? <Refusal error={error} onRetry={() => void refetch()} /> : <Loading />}</Panel>
      </Page>
    );
  }
  const lead = (
    <>
      <Link to="/people">People</Link> / <span className="mono">{p.key}</span> · <State of={p.life} /> · changed <Instant at={p.changed} />
      {p.due && <> · about to be looked at: {p.due}</>}
    </>
  );
  return (
    <Page title={p.display || p.key} lead={lead} actions={<><UndoButton what={{ person: p.key }} about={`everything that was done to the accounts of ${p.display}`} /><NewPassword person={p} /><Preview person={p} /><LookNow person={p} /></>}>
      <Stack gap="md">
        <Ahead alarms={p.alarms ?? []} />
        <Tabs value={query.get("tab") ?? "accounts"} onChange={(tab) => setQuery(tab === "accounts" || !tab ? {} : { tab }, { replace: true })}>
          <Tabs.List mb="md">
            <Tabs.Tab value="accounts">Accounts</Tabs.Tab>
            <Tabs.Tab value="known">What is known</Tabs.Tab>
            <Tabs.Tab value="time">Time line</Tabs.Tab>
            <Tabs.Tab value="records">Records</Tabs.Tab>
          </Tabs.List>
          <Tabs.Panel value="accounts">
            <Stack gap="md">
              {(p.accounts ?? []).map((a) => (
                <AccountPanel key={`${a.system} ${a.class} ${a.id}`} account={a} person={p} />
              ))}
              {(p.accounts ?? []).length === 0 && <Panel>No system has, or shall have, an account for this person.</Panel>}
            </Stack>
          </Tabs.Panel>
          <Tabs.Panel value="known">
            <Attributes list={p.attributes ?? []} />
          </Tabs.Panel>
          <Tabs.Panel value="time">
            <TimeLine person={p.key} />
          </Tabs.Panel>
          <Tabs.Panel value="records">
            <Records key={p.key} person={p} />
          </Tabs.Panel>
        </Tabs>
      </Stack>
    </Page>
  );
}
