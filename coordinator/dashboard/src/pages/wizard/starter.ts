// The document that a new system begins with. It reads and does nothing yet:
// a target is for nobody, a source makes nobody, until its mapping is turned on.
import { stringify } from "yaml";
import { tidy, type Settings } from "../../parts/settings";

export type Role = "source" | "target";

export interface Choice {
  name: string;
  site: string;
  connector: string;
  role: Role;
}

const classes: Record<string, string> = { activedirectory: "user", ldap: "inetOrgPerson", scim: "User", sql: "row", csv: "row" };
export const titles: Record<string, string> = { activedirectory: "Active Directory", csv: "CSV file", ldap: "LDAP directory", scim: "SCIM application", sql: "SQL database" };

export function starter({ name, site, connector, role }: Choice, values: Settings): string {
  const settings = tidy(values);
  const head = { system: name, site, connector, settings, read: connector === "csv" ? { watch: true, every: "15m" } : { every: "15m", full_every: "24h" } };
  const body = role === "target" ? { target: target(connector, settings) } : { source: source(connector, settings) };
  return stringify({ ...head, ...body }, { lineWidth: 0 });
}

function source(connector: string, settings: Settings) {
  const key = typeof settings.key === "string" ? settings.key : connector === "activedirectory" ? "employeeID" : "id";
  return { class: String(settings.class ?? classes[connector] ?? "row"), people: "join", key: column(key), attributes: { employeeNumber: column(key) } };
}

/** A column whose name is no word is named in brackets. */
const column = (name: string) => (/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) ? name : `row[${JSON.stringify(name)}]`);

function target(connector: string, settings: Settings) {
  const base = typeof settings.base === "string" ? settings.base : "";
  const common = { class: classes[connector] ?? "row", scope: "false", mode: "preview" };
  switch (connector) {
    case "activedirectory":
      return {
        ...common,
        match: { employeeID: "employeeNumber" },
        container: `"OU=Staff,${base}"`,
        name: 'join(" ", name.givenName, name.familyName)',
        attributes: {
          sAMAccountName: { value: "firstUnique(sam(lower(left(name.givenName, 1) + name.familyName)))", apply: "create" },
          employeeID: "employeeNumber",
          givenName: "name.givenName",
          sn: "name.familyName",
          displayName: "displayName",
          title: "title",
          department: "department",
          manager: { person: "manager" },
        },
        password: { length: 20, change_at_sign_in: true },
        lifecycle: { create: "7d before start", enable: "at start", leave: { at: "at end", disable: true } },
      };
    case "ldap":
      return {
        ...common,
        match: { employeeNumber: "employeeNumber" },
        container: `"ou=people,${base}"`,
        name: { attribute: "uid", value: "firstUnique(local(lower(left(name.givenName, 1) + name.familyName)))" },
        attributes: { employeeNumber: "employeeNumber", givenName: "name.givenName", sn: "name.familyName", cn: "displayName" },
      };
    case "scim":
      return {
        ...common,
        name: "firstUnique(lower(local(name.givenName + \".\" + name.familyName)))",
        attributes: { "name.givenName": "name.givenName", "name.familyName": "name.familyName", displayName: "displayName" },
      };
    default:
      return { ...common, name: "employeeNumber", attributes: { employee_id: "employeeNumber" } };
  }
}
