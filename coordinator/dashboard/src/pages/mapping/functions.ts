// The functions of expressions, as the mapping reference explains them: its
// table is read when the dashboard is built, so that there is one explanation.
import reference from "../../../../mapping/README.md?raw";

export interface Explained {
  /** How it is called, such as left(s, n). */
  signature: string;
  text: string;
}

const rows = reference
  .slice(reference.indexOf("## Expressions"))
  .split("\n")
  .filter((line) => line.startsWith("| `"))
  .map((line) => line.replaceAll("\\|", "¦").split("|").map((cell) => cell.trim().replaceAll("¦", "|")));

/** Every function by its name. */
export const functions: ReadonlyMap<string, Explained> = new Map(
  rows.flatMap(([, signatures = "", text = ""]) =>
    [...signatures.matchAll(/`((\w+)(?:\([^`]*\))?)`/g)].map(([, signature = "", name = ""]): [string, Explained] => [
      name,
      { signature: signature.replaceAll("\\", ""), text: plain(text) || `See ${[...signatures.matchAll(/`(\w+)/g)].map(([, n]) => n).join(", ")}` },
    ]),
  ),
);

/** The text without the marks of its table. */
function plain(text: string) {
  return text.replaceAll("`", "").replaceAll("**", "").replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1");
}

/** The functions that an expression calls, in the order in which it names them. */
export function calledIn(expression: string): Explained[] {
  const names = [...expression.replaceAll(/"(?:[^"\\]|\\.)*"/g, "").matchAll(/\b(\w+)\s*\(/g)].map(([, name = ""]) => name);
  return [...new Set(names)].flatMap((name) => functions.get(name) ?? []);
}
