import { Anchor, Button, Collapse, Paper, PasswordInput, Stack, Text, Title } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { type FormEvent, useEffect, useState } from "react";
import { useLocation } from "react-router";
import { http } from "../../api/client";
import { session } from "../../api/session";
import { Mark } from "../../parts/Logo";
import { Refusal } from "../../parts/Refusal";
import classes from "./SignIn.module.css";

/** Signs in at the company's provider, by a link, or with an API token, which is tried before it is believed. */
export function SignIn() {
  const { pathname, search } = useLocation();
  const [opened, { toggle }] = useDisclosure(false);
  useEffect(() => {
    document.title = "Sign in · Drawbridge";
  }, []);
  return (
    <main className={classes.page}>
      <Paper className={classes.box}>
        <Stack gap="md">
          <Mark size={36} />
          <div>
            <Title order={1}>Sign in to Drawbridge</Title>
            <Text c="dimmed" fz="sm" mt={4}>
              {session.ended() ? "Your session is over. Sign in again, and you are where you were." : "You come back to the page that you asked for."}
            </Text>
          </div>
          <Button component="a" href={`/auth/sign-in?return=${encodeURIComponent(pathname + search)}`} size="sm" fullWidth>
            Sign in
          </Button>
          <Anchor component="button" type="button" fz="sm" onClick={toggle} aria-expanded={opened}>
            Sign in with an API token
          </Anchor>
          <Collapse expanded={opened}>
            <TokenForm />
          </Collapse>
        </Stack>
      </Paper>
    </main>
  );
}

function TokenForm() {
  const [token, setToken] = useState("");
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const submit = async (e: FormEvent) => {
    e.preventDefault();
    setBusy(true);
    const text = token.trim();
    try {
      const { error } = await http.GET("/v1/me", { headers: { Authorization: `Bearer ${text}` } });
      setError(error);
      if (error === undefined) session.use(text);
    } catch (error) {
      setError(error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <form onSubmit={(e) => void submit(e)}>
      <Stack gap="sm">
        <PasswordInput
          label="API token" placeholder="dba_…" value={token} onChange={(e) => setToken(e.currentTarget.value)} autoComplete="off" required size="sm"
          visibilityToggleButtonProps={{ "aria-label": "Show the token" }}
          description="The coordinator's host has one in the file admin-token of its data folder."
        />
        <Refusal error={error} />
        <Button type="submit" size="sm" variant="default" loading={busy} disabled={token.trim() === ""} fullWidth>
          Use this token
        </Button>
      </Stack>
    </form>
  );
}
