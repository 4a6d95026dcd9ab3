import { Button, Stack, Tabs } from "@mantine/core";
import { IconRefresh } from "@tabler/icons-react";
import { Link, useNavigate, useParams } from "react-router";
import { api } from "../../api/client";
import { Instant } from "../../parts/Instant";
import { Loading } from "../../parts/Loading";
import { Page } from "../../parts/Page";
import { Refusal } from "../../parts/Refusal";
import { State } from "../../parts/State";
import { roles } from "../systems/Systems";
import { DocumentTab } from "./DocumentTab";
import { SchemaTab } from "./SchemaTab";
import { VersionsTab } from "./VersionsTab";
import { MappingTab } from "../mapping/MappingTab";
import { Overview, useRead } from "./Overview";

/** One system: how it is, what is read from it and written to it. */
export default function System() {
  const { name = "", tab = "overview" } = useParams();
  const go = useNavigate();
  const params = { path: { name } };
  const { data: s, error, refetch } = api.useQuery("get", "/v1/systems/{name}", { params });
  const run = useRead(name);
  if (!s) return <Page title={name}>{error ? <Refusal error={error} onRetry={() => void refetch()} /> : <Loading />}</Page>;
  const lead = (
    <>
      <Link to="/systems">Systems</Link> · {s.connector} at {s.site}, {roles[s.role] ?? s.role} · <State of={s.state} /> · revision {s.revision}, applied <Instant at={s.applied} />
    </>
  );
  return (
    <Page
      title={s.name} lead={lead}
      actions={
        <Button variant="default" leftSection={<IconRefresh size={14} aria-hidden />} loading={run.isPending} onClick={() => run.mutate(undefined)}>
          Read it now
        </Button>
      }
    >
      <Stack gap="md">
        <Tabs value={tab} onChange={(t) => void go(t === "overview" || !t ? `/systems/${name}` : `/systems/${name}/${t}`, { replace: true })}>
          <Tabs.List mb="md">
            <Tabs.Tab value="overview">Overview</Tabs.Tab>
            <Tabs.Tab value="mapping">Mapping</Tabs.Tab>
            <Tabs.Tab value="schema">Schema</Tabs.Tab>
            <Tabs.Tab value="versions">Versions</Tabs.Tab>
            <Tabs.Tab value="document">Document</Tabs.Tab>
          </Tabs.List>
          <Tabs.Panel value="overview">
            <Overview system={s} />
          </Tabs.Panel>
          <Tabs.Panel value="mapping">
            <MappingTab key={s.revision} system={s} />
          </Tabs.Panel>
          <Tabs.Panel value="schema">
            <SchemaTab name={s.name} />
          </Tabs.Panel>
          <Tabs.Panel value="versions">
            <VersionsTab name={s.name} />
          </Tabs.Panel>
          <Tabs.Panel value="document">
            <DocumentTab key={s.revision} system={s} />
          </Tabs.Panel>
        </Tabs>
      </Stack>
    </Page>
  );
}
