// Every page, light and dark, wide and narrow: a picture of each, and axe's word on each.
import axe from "axe-core";
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { pictures, stage, url } from "./play.mjs";

const widths = { wide: { width: 1400, height: 900 }, narrow: { width: 390, height: 844 } };
const atOnce = 2; // pages of the browser that are photographed side by side

/** Name, path, and what is there once the page is whole; then what is done on it first. */
const pages = () => [
  ["home", "/", (p) => p.getByRole("heading", { name: "What happened last" })],
  ["people", "/people", (p) => p.getByRole("table", { name: "People" })],
  ["people-none", "/people?q=nosuchname", (p) => p.getByText("Nobody is called")],
  ["person", `/people/${stage.person.key}`, (p) => p.getByRole("button", { name: /^displayName/ })],
  ["person-known", `/people/${stage.person.key}?tab=known`, (p) => p.getByRole("button", { name: /^title/ })],
  ["person-timeline", `/people/${stage.person.key}?tab=time`, (p) => p.getByText(/Create /).first()],
  ["person-records", `/people/${stage.person.key}?tab=records`, (p) => p.getByRole("table", { name: "Records and accounts" })],
  ["merge", `/people/${stage.same[0].key}?tab=records`, (p) => p.getByRole("dialog").getByText(/changes? hands/), openMerge],
  ["find", "/people", (p) => p.getByRole("option").first(), find],
  ["changes", "/changes", (p) => p.getByRole("region", { name: /of class disable/ })],
  ["plan", `/plans/${stage.plan}`, (p) => p.getByRole("table", { name: "Changes of the plan" })],
  ["cycles", "/changes/cycles", (p) => p.getByRole("table", { name: "Cycles" })],
  ["cycle", `/cycles/${stage.cycle}`, (p) => p.getByText("What it found")],
  ["jobs", "/changes/jobs", (p) => p.getByRole("table", { name: "Jobs" })],
  ["job", `/changes/jobs?job=${stage.job}`, (p) => p.getByRole("region", { name: /^Answer/ })],
  ["drift", "/changes/drift", (p) => p.getByRole("table", { name: "Drift" })],
  ["problems", "/problems", (p) => p.getByRole("table", { name: "Problems" })],
  ["history", "/history", (p) => p.getByRole("link", { name: /^job/ }).first()],
  ["merges", "/history/merges", (p) => p.getByRole("table", { name: "Merged and split" })],
  ["audit", "/history/audit", (p) => p.getByRole("table", { name: "Audit" })],
  ["systems", "/systems", (p) => p.getByRole("table", { name: "Systems" })],
  ["system", "/systems/corp-ad", (p) => p.getByText("The connection works")],
  ["mapping", "/systems/corp-ad/mapping", (p) => p.getByText(stage.shown).first()],
  ["mapping-rule", "/systems/corp-ad/mapping", (p) => p.getByLabel("What its functions do"), openRule],
  ["schema", "/systems/corp-ad/schema", (p) => p.getByRole("table")],
  ["versions", "/systems/corp-ad/versions", (p) => p.getByLabel(/^Difference of revision/)],
  ["document", "/systems/corp-ad/document", (p) => p.getByRole("textbox", { name: "Document of corp-ad" })],
  ["new-system", "/systems/new", (p) => p.getByRole("radio", { name: "Active Directory" })],
  ["mappings", "/mappings", (p) => p.getByRole("table", { name: "Mappings" })],
  ["agents", "/agents", (p) => p.getByRole("table", { name: "Agents" })],
  ["agent", `/agents/${stage.agentID}`, (p) => p.getByText("Guardrail in force")],
  ["enrol", "/agents?enrol=1", (p) => p.getByRole("button", { name: "Make the command" })],
  ["settings", "/settings", (p) => p.getByText("Organisation")],
  ["signed-in", "/settings/people", (p) => p.getByRole("table", { name: "Sessions" })],
  ["tokens", "/settings/tokens", (p) => p.getByRole("table", { name: "API tokens" })],
  ["passwords", "/settings/passwords", (p) => p.getByRole("heading", { name: "Recipients" })],
  ["notifications", "/settings/notifications", (p) => p.getByRole("table", { name: "Webhooks" })],
  ["webhook", `/settings/notifications/${stage.webhook}`, (p) => p.getByRole("table", { name: "Deliveries" })],
  ["kept", "/settings/kept", (p) => p.getByRole("table", { name: "What is kept" })],
  ["nowhere", "/nowhere", (p) => p.getByText("Nothing is at this address")],
];

async function find(page) {
  await page.locator("body").press("Control+k");
  await page.getByRole("combobox", { name: "Name or number of a person" }).fill("a");
}

/** Has shown what making two people one would change. */
async function openMerge(page) {
  await page.getByRole("button", { name: "Merge into …" }).click();
  const picker = page.getByRole("dialog").getByRole("combobox", { name: "The person who stays" }).or(page.getByRole("dialog").getByRole("textbox", { name: "The person who stays" }));
  await picker.first().fill(stage.same[1].key);
  await page.getByRole("option", { name: new RegExp(stage.same[1].key) }).click();
}

const openRule = (page) => page.getByRole("button", { name: /^displayName/ }).click();

/** Takes the pictures, and holds every one to the rules of accessibility. */
export async function gallery(page) {
  mkdirSync(pictures, { recursive: true });
  await page.context().addInitScript({ content: axe.source });
  const left = pages();
  const found = [];
  const work = async (p) => {
    for (let next = left.shift(); next; next = left.shift()) await photograph(p, next, found);
  };
  const others = await Promise.all(Array.from({ length: atOnce - 1 }, () => page.context().newPage()));
  await Promise.all([page, ...others].map(work));
  await Promise.all(others.map((p) => p.close()));
  await signInPage(page, found);
  await page.setViewportSize({ width: 1280, height: 860 });
  assert.deepEqual(found, [], "what is wrong with pages");
}

/** The page for those who are not signed in, which a browser of its own sees. */
async function signInPage(page, found) {
  const context = await page.context().browser().newContext({ locale: "en-GB", reducedMotion: "reduce" });
  await context.addInitScript({ content: axe.source });
  await photograph(await context.newPage(), ["sign-in", "/", (p) => p.getByRole("heading", { name: "Sign in to Drawbridge" })], found);
  await context.close();
}

const held = ["light wide", "dark narrow"]; // colours are those of the scheme, what is there is that of the width: each is held to the rules once
const tallest = 8000; // pixels of a picture

const heightOf = (page, least) => page.evaluate(([least, tallest]) => Math.min(tallest, Math.max(least, document.documentElement.scrollHeight)), [least, tallest]);

const drawn = (page) => page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));

const overlays = ["find", "job", "enrol", "merge"]; // of which what is beneath is no part

async function photograph(page, [name, path, ready, first], found) {
  const over = overlays.includes(name);
  await page.setViewportSize(widths.wide);
  await page.emulateMedia({ colorScheme: "light" });
  await page.goto(url + path);
  await first?.(page);
  const whole = await ready(page).first().waitFor().then(() => true, () => false);
  if (!whole) found.push(`${name}: the page does not become whole`);
  for (const [scheme, width] of [["light", "wide"], ["dark", "wide"], ["dark", "narrow"], ["light", "narrow"]]) {
    await page.setViewportSize(widths[width]);
    await page.emulateMedia({ colorScheme: scheme });
    await page.locator(`html[data-mantine-color-scheme="${scheme}"]`).waitFor();
    await drawn(page); // else its height is that of before
    if (!over) await page.setViewportSize({ ...widths[width], height: await heightOf(page, widths[width].height) }); // the whole page is seen at once
    await drawn(page); // else a tall picture may show it as it was
    await page.screenshot({ path: join(pictures, `${name}-${scheme}-${width}.png`), animations: "disabled" });
    const spill = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    if (spill > 0) found.push(`${name}, ${width}: the page is ${spill} pixels too wide`);
    if (held.includes(`${scheme} ${width}`)) for (const v of await violations(page)) found.push(`${name}, ${scheme}, ${width}: ${v}`);
  }
}

const violations = (page) =>
  page.evaluate(async () => {
    const { violations } = await window.axe.run(document, { resultTypes: ["violations"] });
    return violations.map((v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => `${n.target.join(" ")} ${n.any[0]?.message ?? ""}`).slice(0, 3).join("; ")}`);
  });
