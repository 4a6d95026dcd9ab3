import { notifications } from "@mantine/notifications";
import { type QueryClient, useMutation, useQueryClient } from "@tanstack/react-query";
import { headline, problemOf, sentence } from "../api/problem";

interface Answer<T> {
  data?: T;
  error?: unknown;
}

interface Options<T> {
  /** What to say when it is done. */
  done?: string | ((data: T) => string);
  onDone?: (data: T) => void;
  /** The refusal is shown where it was asked for, not in a corner. */
  quiet?: boolean;
}

/** Something that a person does: afterwards everything that is shown is asked for anew. */
export function useAction<In, T>(act: (input: In) => Promise<Answer<T>>, options: Options<T> = {}) {
  const queries = useQueryClient();
  return useMutation<T, unknown, In>({
    mutationFn: async (input) => {
      const { data, error } = await act(input);
      if (error !== undefined) throw error;
      return data as T;
    },
    onSuccess: (data) => {
      void refresh(queries);
      if (options.done) {
        notifications.show({ message: typeof options.done === "string" ? options.done : options.done(data), color: "teal" });
      }
      options.onDone?.(data);
    },
    onError: (error) => {
      if (options.quiet) return;
      const p = problemOf(error);
      notifications.show({ title: headline(p), message: p.next_step ? sentence(p.next_step) : undefined, color: "red", autoClose: 12_000 });
    },
  });
}

const refresh = (queries: QueryClient) => queries.invalidateQueries();
