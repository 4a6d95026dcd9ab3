/** What somebody can be told of, as the API names it and as people do. */
export const kinds = [
  { value: "agent", label: "An agent is away" },
  { value: "system", label: "A system does not work" },
  { value: "cycle", label: "A read is held" },
  { value: "held", label: "A class of change is held" },
  { value: "problem", label: "Accounts cannot be made as wanted" },
  { value: "approval", label: "An agent asks to be attested" },
  { value: "password", label: "Passwords wait" },
] as const;

export type Kind = (typeof kinds)[number]["value"];

export const kindsOf = (list: string[] | null) => ((list ?? []).length === 0 ? "everything" : (list ?? []).map((k) => kinds.find((x) => x.value === k)?.label ?? k).join(", "));
