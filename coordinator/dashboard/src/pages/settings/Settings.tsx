import { Stack } from "@mantine/core";
import { Page } from "../../parts/Page";
import { APITokens } from "./APITokens";
import { JoinTokens } from "./JoinTokens";

export default function Settings() {
  return (
    <Page title="Settings" lead="Who and what may use this coordinator.">
      <Stack gap="md">
        <APITokens />
        <JoinTokens />
      </Stack>
    </Page>
  );
}
