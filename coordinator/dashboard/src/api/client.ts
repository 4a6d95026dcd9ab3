// The API as openapi-typescript describes it. Pages ask by `api.useQuery` and
// act by `useAction`; nothing else in the dashboard knows of HTTP.
import createFetch, { type Middleware } from "openapi-fetch";
import createQueries from "openapi-react-query";
import type { components, paths } from "./schema";
import { session } from "./session";

export type Schema = components["schemas"];

const credentials: Middleware = {
  onRequest({ request }) {
    for (const [name, value] of Object.entries(session.headers(request.method))) request.headers.set(name, value);
    return request;
  },
  onResponse({ response }) {
    if (response.status === 401) session.lost();
  },
};

export const http = createFetch<paths>({ baseUrl: "", credentials: "same-origin" });
http.use(credentials);
export const api = createQueries(http);
