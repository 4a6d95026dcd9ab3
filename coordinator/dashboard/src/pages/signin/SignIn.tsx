import { Button, Paper, PasswordInput, Stack, Text, Title } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { http } from "../../api/client";
import { session } from "../../api/session";
import { Mark } from "../../parts/Logo";
import { Refusal } from "../../parts/Refusal";
import classes from "./SignIn.module.css";

/** Signs in with an API token, which is tried before it is believed. */
export function SignIn({ onDone }: { onDone: () => void }) {
  const [token, setToken] = useState("");
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const submit = async (e: FormEvent) => {
    e.preventDefault();
    setBusy(true);
    const text = token.trim();
    try {
      const { error } = await http.GET("/v1/status", { headers: { Authorization: `Bearer ${text}` } });
      setError(error);
      if (error === undefined) {
        onDone();
        session.use(text);
      }
    } catch (error) {
      setError(error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <main className={classes.page}>
      <Paper className={classes.box} component="form" onSubmit={(e: FormEvent) => void submit(e)}>
        <Stack gap="md">
          <Mark size={36} />
          <div>
            <Title order={1}>Sign in to Drawbridge</Title>
            <Text c="dimmed" fz="sm" mt={4}>
              {session.expired() ? "Your token is not good any more. Sign in with another." : "With an API token of this coordinator."}
            </Text>
          </div>
          <PasswordInput
            label="API token" placeholder="dba_…" value={token} onChange={(e) => setToken(e.currentTarget.value)} autoComplete="off" required size="sm" data-autofocus
            visibilityToggleButtonProps={{ "aria-label": "Show the token" }}
          />
          <Refusal error={error} />
          <Button type="submit" size="sm" loading={busy} disabled={token.trim() === ""} fullWidth>
            Sign in
          </Button>
          <Text c="dimmed" fz="xs">
            The host of the coordinator has a token in the file <span className="mono">admin-token</span> of its data folder. Others are made with{" "}
            <span className="mono">drawbridge token create --api NAME</span>.
          </Text>
        </Stack>
      </Paper>
    </main>
  );
}
