// The API as openapi-typescript describes it. Pages ask by `api.useQuery` and
// act by `useAction`; nothing else in the dashboard knows of HTTP.
import createFetch, { type Middleware } from "openapi-fetch";
import createQueries from "openapi-react-query";
import type { components, paths } from "./schema";
import { reasons } from "./reason";
import { session } from "./session";

export type Schema = components["schemas"];

const credentials: Middleware = {
  onRequest({ request }) {
    for (const [name, value] of Object.entries(session.headers())) if (!request.headers.has(name)) request.headers.set(name, value);
    return request;
  },
  onResponse({ request, response }) {
    if (response.status === 401 && !request.url.endsWith("/v1/me")) session.lost();
  },
};

export const http = createFetch<paths>({ baseUrl: "", credentials: "same-origin" });
http.use(credentials, reasons);
export const api = createQueries(http);
