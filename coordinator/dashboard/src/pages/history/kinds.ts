/** Kinds of entries of the log, as the API names them and as people do. */
export const kinds = [
  { value: "source-changed", label: "Change in a source" },
  { value: "refused", label: "Pushed record refused" },
  { value: "planned", label: "Planned" },
  { value: "written", label: "Written" },
  { value: "matched", label: "Account joined" },
  { value: "held", label: "Held" },
  { value: "approved", label: "Approved" },
  { value: "rejected", label: "Rejected" },
  { value: "failed", label: "Failed" },
  { value: "cycle", label: "Cycle" },
  { value: "config", label: "Configuration" },
  { value: "audit", label: "Audit: who did what" },
];
