import { api } from "./client";

/** Whether everything is all right, and what waits. All who ask share one answer; what happens makes it anew (app/live). */
export const useHome = () => api.useQuery("get", "/v1/home");
