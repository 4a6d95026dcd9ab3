import { MantineProvider } from "@mantine/core";
import { Notifications } from "@mantine/notifications";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";
import { BrowserRouter } from "react-router";
import { session } from "../api/session";
import { problemOf } from "../api/problem";
import { SignIn } from "../pages/signin/SignIn";
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
  const token = useSyncExternalStore(session.subscribe, session.token);
  return (
    <MantineProvider theme={theme} cssVariablesResolver={variables} defaultColorScheme="auto" getStyleNonce={() => nonce}>
      <Notifications position="bottom-right" />
      <QueryClientProvider client={queries}>
        <BrowserRouter>{token ? <Pages key={token} /> : <SignIn onDone={() => queries.clear()} />}</BrowserRouter>
      </QueryClientProvider>
    </MantineProvider>
  );
}
