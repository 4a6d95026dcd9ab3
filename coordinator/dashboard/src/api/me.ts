import { api } from "./client";

/** Who is signed in, as the coordinator knows them; refused with 401 where nobody is. */
export const useMe = () => api.useQuery("get", "/v1/me", {}, { staleTime: 5 * 60_000 });

/** Whether whoever is signed in may use an operation of the API. */
export function useMay(operation: string) {
  const { data } = useMe();
  return data?.operations.includes(operation) ?? false;
}
