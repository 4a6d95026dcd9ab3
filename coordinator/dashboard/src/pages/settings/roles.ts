export type Role = "viewer" | "helpdesk" | "operator" | "administrator" | "auditor";

/** What people and programs are trusted with. */
export const roles: { value: Role; label: string }[] = [
  { value: "viewer", label: "Viewer: sees" },
  { value: "helpdesk", label: "Help desk: one person" },
  { value: "operator", label: "Operator: approves, runs" },
  { value: "administrator", label: "Administrator: everything" },
  { value: "auditor", label: "Auditor: sees, and reads the audit" },
];
