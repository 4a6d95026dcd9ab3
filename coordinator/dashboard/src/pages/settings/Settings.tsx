import { Stack, Tabs } from "@mantine/core";
import { useNavigate, useParams } from "react-router";
import { useMay } from "../../api/me";
import { Page } from "../../parts/Page";
import { APITokens } from "./APITokens";
import { MailReceivers } from "../notifications/MailReceivers";
import { Webhooks } from "../notifications/Webhooks";
import { JoinTokens } from "./JoinTokens";
import { Kept } from "./Kept";
import { Me } from "./Me";
import { Passwords } from "./Passwords";
import { Recipients } from "./Recipients";
import { Sessions } from "./Sessions";

/** Who and what may use this coordinator, who is told of what, and how long it is kept. */
export default function Settings() {
  const { tab = "you" } = useParams();
  const go = useNavigate();
  const tokens = useMay("list-api-tokens");
  const sessions = useMay("list-sessions");
  const passwords = useMay("list-passwords");
  return (
    <Page title="Settings" lead="Who and what may use this coordinator, who is told of what needs a person, and how long it is kept.">
      <Tabs value={tab} onChange={(t) => void go(t === "you" || !t ? "/settings" : `/settings/${t}`, { replace: true })}>
        <Tabs.List mb="md">
          <Tabs.Tab value="you">You</Tabs.Tab>
          {sessions && <Tabs.Tab value="people">Signed in</Tabs.Tab>}
          {tokens && <Tabs.Tab value="tokens">Tokens</Tabs.Tab>}
          {passwords && <Tabs.Tab value="passwords">Passwords</Tabs.Tab>}
          <Tabs.Tab value="notifications">Notifications</Tabs.Tab>
          <Tabs.Tab value="kept">What is kept</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="you">
          <Me />
        </Tabs.Panel>
        <Tabs.Panel value="people">
          <Sessions />
        </Tabs.Panel>
        <Tabs.Panel value="tokens">
          <Stack gap="md">
            <APITokens />
            <JoinTokens />
          </Stack>
        </Tabs.Panel>
        <Tabs.Panel value="passwords">
          <Stack gap="md">
            <Passwords />
            <Recipients />
          </Stack>
        </Tabs.Panel>
        <Tabs.Panel value="notifications">
          <Stack gap="md">
            <Webhooks />
            <MailReceivers />
          </Stack>
        </Tabs.Panel>
        <Tabs.Panel value="kept">
          <Kept />
        </Tabs.Panel>
      </Tabs>
    </Page>
  );
}
