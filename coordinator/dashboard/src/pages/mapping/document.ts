// The mapping in a system's document: its rules, each with its place in the
// text, and changes to single ones that leave the rest of the text as it is.
import { type Document, isMap, isScalar, LineCounter, type Node, parseDocument, Scalar, stringify } from "yaml";

export type Side = "source" | "target";
export type Path = (string | number)[];

export interface Rule {
  /** Where it stands in the document. */
  path: Path;
  /** As a trial calls it. */
  name: string;
  section: string;
  expression: string;
  /** The expression gives the key of a person whose account is referred to. */
  person: boolean;
  /** apply, keep, empty, case, precedence, where they are given. */
  options: Record<string, string>;
  /** First and last line of it. */
  lines: [number, number];
}

/** The sides that a document has. */
export function sidesOf(text: string): Side[] {
  const doc = parseDocument(text);
  return (["source", "target"] as const).filter((s) => doc.has(s));
}

/** Reads the rules of one side; none of a text that is no YAML at present. */
export function rulesOf(text: string, side: Side): Rule[] {
  const lines = new LineCounter();
  const doc = parseDocument(text, { lineCounter: lines });
  if (doc.errors.length > 0) return [];
  const rules: Rule[] = [];
  const add = (section: string, name: string, path: Path) => {
    const node = doc.getIn(path, true) as Node | undefined;
    if (node) rules.push(ruleOf(doc, node, { section, name, path }, lines));
  };
  if (side === "source") {
    add("Who it is", "key", ["source", "key"]);
    for (const k of keysOf(doc, ["source", "same_as"])) add("Who it is", `same_as ${k}`, ["source", "same_as", k]);
  } else {
    add("For whom", "scope", ["target", "scope"]);
    for (const k of keysOf(doc, ["target", "match"])) add("Which account", `match ${k}`, ["target", "match", k]);
    add("Where it is", "container", ["target", "container"]);
    add("Where it is", "name", ["target", "name"]);
  }
  for (const k of keysOf(doc, [side, "attributes"])) add("Attributes", k, [side, "attributes", k]);
  const groups = doc.getIn(["target", "groups"], true) as { items?: unknown[] } | undefined;
  if (side === "target") (groups?.items ?? []).forEach((_, i) => add("Groups", `group ${i + 1}`, ["target", "groups", i]));
  return rules;
}

function ruleOf(doc: Document, node: Node, head: Pick<Rule, "section" | "name" | "path">, lines: LineCounter): Rule {
  const map = isMap(node);
  const person = map && node.has("person");
  const value = map ? doc.getIn([...head.path, person ? "person" : "value"]) : isScalar(node) ? node.value : "";
  const options: Record<string, string> = {};
  if (map) {
    for (const { key, value: v } of node.items) {
      const name = String(isScalar(key) ? key.value : key);
      if (name !== "value" && name !== "person" && isScalar(v)) options[name] = String(v.value);
    }
  }
  const [from, to] = [node.range?.[0] ?? 0, node.range?.[1] ?? 0];
  return { ...head, expression: String(value ?? ""), person, options, lines: [lines.linePos(from).line, lines.linePos(Math.max(to - 1, from)).line] };
}

function keysOf(doc: Document, path: Path): string[] {
  const node = doc.getIn(path, true);
  return isMap(node) ? node.items.map(({ key }) => String(isScalar(key) ? key.value : key)) : [];
}

/** Gives a rule another expression; nothing else of the text changes. */
export function withExpression(text: string, rule: Rule, expression: string): string {
  const doc = parseDocument(text);
  const whole = doc.getIn(rule.path, true) as Node | undefined;
  const node = isMap(whole) ? (whole.get(rule.person ? "person" : "value", true) as Node | undefined) : whole;
  if (!node?.range || !isScalar(node)) return written(text, (d) => d.setIn(isMap(whole) ? [...rule.path, rule.person ? "person" : "value"] : rule.path, expression));
  return text.slice(0, node.range[0]) + scalar(expression, isFlow(text, doc, rule.path)) + text.slice(node.range[1]);
}

/** A text as YAML takes it on one line: plain where that is the same, else in quotes. */
function scalar(value: string, flow: boolean): string {
  const plain = stringify(value, { lineWidth: 0 }).trimEnd();
  if (!flow && !plain.includes("\n")) return plain;
  const node = new Scalar(value);
  node.type = value.includes("'") || value.includes("\n") ? Scalar.QUOTE_DOUBLE : Scalar.QUOTE_SINGLE;
  return /^[\w. ()"+-]*$/.test(value) && plain === value ? value : stringify(node, { lineWidth: 0 }).trimEnd();
}

/** Whether a rule stands within braces or brackets, where less may be plain. */
function isFlow(_text: string, doc: Document, path: Path): boolean {
  for (let n = path.length; n >= 0; n--) {
    const node = n === 0 ? doc.contents : doc.getIn(path.slice(0, n), true);
    if (node && typeof node === "object" && "flow" in node && node.flow) return true;
  }
  return false;
}

/** Sets or clears an option of a rule, such as apply. */
export function withOption(text: string, rule: Rule, option: string, value: string | null): string {
  return written(text, (doc) => {
    const node = doc.getIn(rule.path, true);
    if (!isMap(node)) {
      if (value === null) return;
      doc.setIn(rule.path, doc.createNode({ value: rule.expression, [option]: value }));
    } else if (value === null) {
      doc.deleteIn([...rule.path, option]);
      if (node.items.length === 1 && node.has("value")) doc.setIn(rule.path, rule.expression);
    } else doc.setIn([...rule.path, option], value);
  });
}

/** Adds a rule for an attribute. */
export const withAttribute = (text: string, side: Side, attribute: string, expression: string) =>
  written(text, (doc) => doc.setIn([side, "attributes", attribute], expression));

export const without = (text: string, path: Path) => written(text, (doc) => doc.deleteIn(path));

/** Whether a system's mapping is still as the wizard leaves it: for nobody. */
export function isOff(text: string, side: Side): boolean {
  const doc = parseDocument(text);
  if (side === "target") return String(doc.getIn(["target", "scope"])) === "false";
  return doc.getIn(["source", "people"]) === "join" && doc.getIn(["source", "key"]) !== undefined && !doc.has("target");
}

/** Turns a mapping of the wizard on: the target is for everybody, the source makes people. */
export const turnedOn = (text: string, side: Side) => without(text, side === "target" ? ["target", "scope"] : ["source", "people"]);

function written(text: string, change: (doc: Document) => unknown): string {
  const doc = parseDocument(text);
  if (doc.errors.length > 0) return text;
  change(doc);
  return doc.toString({ lineWidth: 0 });
}
