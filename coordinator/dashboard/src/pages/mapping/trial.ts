import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { http, type Schema } from "../../api/client";
import { problemOf, type Fault } from "../../api/problem";
import type { Rule, Side } from "./document";

export type Tried = Schema["TriedValue"];

/** What the text, as it is while one types, makes of one person. */
export function useTrial(system: string, text: string, person: string) {
  const [settled] = useDebouncedValue(text, 200);
  const query = useQuery({
    queryKey: ["trial", system, settled, person],
    enabled: person !== "",
    placeholderData: keepPreviousData,
    staleTime: 30_000,
    queryFn: async ({ signal }) => {
      const { data, error } = await http.POST("/v1/configuration/trial", { body: { files: [{ name: `${system}.yaml`, text: settled }], person }, signal });
      if (error) throw error;
      return data;
    },
  });
  const faults: Fault[] = query.error ? (problemOf(query.error).errors ?? []) : [];
  return { trial: query.data, error: query.error, faults, behind: settled !== text || query.isFetching };
}

/** The outcome of a rule in a trial. */
export function outcomeOf(trial: Schema["Trial"] | undefined, system: string, side: Side, rule: Rule): Tried | undefined {
  if (!trial) return undefined;
  if (side === "source") return trial.records.find((r) => r.system === system)?.values.find((v) => v.attribute === rule.name);
  const account = trial.accounts.find((a) => a.system === system);
  if (rule.name === "scope") return account?.scope;
  return account?.values.find((v) => v.attribute === rule.name) ?? account?.values.find((v) => v.rule?.text === rule.expression && rule.section !== "Attributes");
}

/** What is wrong with a rule, by the lines that it stands on. */
export const faultOf = (faults: Fault[], rule: Rule) => faults.find((f) => f.line && f.line >= rule.lines[0] && f.line <= rule.lines[1]);
