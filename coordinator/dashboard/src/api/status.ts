import { api } from "./client";

/** Everything at a glance. All who ask share one answer; what happens makes it anew (app/live). */
export const useStatus = () => api.useQuery("get", "/v1/status", {}, { refetchInterval: 5_000 });
