import { MantineProvider } from "@mantine/core";
import { Notifications } from "@mantine/notifications";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { useEffect, useSyncExternalStore } from "react";
import { BrowserRouter } from "react-router";
import { useMe } from "../api/me";
import { problemOf } from "../api/problem";
import { session } from "../api/session";
import { SignIn } from "../pages/signin/SignIn";
import { AskReason } from "../parts/AskReason";
import { Refusal } from "../parts/Refusal";
import { nonce } from "./nonce";
import { Pages } from "./Pages";
import { theme, variables } from "./theme";

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 2_000,
      retry: (n, error) => n < 3 && !refused(error),
      retryDelay: (n) => Math.min(500 * 2 ** n, 10_000),
    },
  },
});

/** An answer that refuses stays one; no answer, or a coordinator in trouble, is tried again. */
function refused(error: unknown) {
  const status = problemOf(error).status ?? 0;
  return status >= 400 && status < 500;
}

export function App() {
  return (
    <MantineProvider theme={theme} cssVariablesResolver={variables} defaultColorScheme="auto" getStyleNonce={() => nonce}>
      <Notifications position="bottom-right" />
      <AskReason />
      <QueryClientProvider client={queries}>
        <BrowserRouter>
          <Door />
        </BrowserRouter>
      </QueryClientProvider>
    </MantineProvider>
  );
}

/** Lets in who is signed in, and everybody else sign in. */
function Door() {
  const version = useSyncExternalStore(session.subscribe, session.version);
  useEffect(() => {
    if (version > 0) void queries.resetQueries();
  }, [version]);
  const me = useMe();
  if (me.data) return <Pages />;
  if (me.error) {
    if (problemOf(me.error).status === 401) return <SignIn />;
    return <Refusal error={me.error} onRetry={() => void me.refetch()} />;
  }
  return null;
}
