// Every page, light and dark, wide and narrow: a picture of each, and axe's word.
import { AxeBuilder } from "@axe-core/playwright";
import assert from "node:assert/strict";
import { join } from "node:path";
import { pictures, stage, url } from "./play.mjs";

const wide = { width: 1280, height: 860 };
const narrow = { width: 390, height: 844 };

/** Path, and what is there once the page is whole. */
const pages = () => [
  ["home", "/", (p) => p.getByRole("list").filter({ hasText: "written" })],
  ["people", "/people", (p) => p.getByRole("table", { name: "People" })],
  ["person", `/people/${stage.person.key}`, (p) => p.getByRole("button", { name: /^displayName/ })],
  ["person-known", `/people/${stage.person.key}?tab=known`, (p) => p.getByRole("button", { name: /^title/ })],
  ["person-timeline", `/people/${stage.person.key}?tab=time`, (p) => p.getByText(/Create /).first()],
  ["changes", "/changes", (p) => p.getByRole("heading", { name: /^Plan/ }).or(p.getByText("Nothing waits for you")).first()],
  ["plan", `/plans/${stage.plan ?? 0}`, (p) => p.getByRole("table", { name: "Changes of the plan" })],
  ["cycles", "/changes/cycles", (p) => p.getByRole("table", { name: "Cycles" })],
  ["cycle", `/cycles/${stage.cycle}`, (p) => p.getByText("What it found")],
  ["jobs", "/changes/jobs", (p) => p.getByRole("table", { name: "Jobs" })],
  ["problems", "/problems", (p) => p.getByText("Nothing is in the way")],
  ["history", "/history", (p) => p.getByRole("link", { name: /^job/ }).first()],
  ["audit", "/history/audit", (p) => p.getByRole("table", { name: "Audit" })],
  ["systems", "/systems", (p) => p.getByRole("table", { name: "Systems" })],
  ["system", "/systems/corp-ad", (p) => p.getByText("The connection works")],
  ["mapping", "/systems/corp-ad/mapping", (p) => p.getByText(stage.shown).first()],
  ["schema", "/systems/corp-ad/schema", (p) => p.getByRole("table")],
  ["versions", "/systems/corp-ad/versions", (p) => p.getByLabel(/^Difference of revision/)],
  ["document", "/systems/corp-ad/document", (p) => p.getByRole("textbox", { name: "Document of corp-ad" })],
  ["new-system", "/systems/new", (p) => p.getByRole("radio", { name: "Active Directory" })],
  ["mappings", "/mappings", (p) => p.getByRole("table", { name: "Mappings" })],
  ["agents", "/agents", (p) => p.getByRole("table", { name: "Agents" })],
  ["enrol", "/agents?enrol=1", (p) => p.getByRole("button", { name: "Make the command" })],
  ["settings", "/settings", (p) => p.getByText("Organisation")],
  ["signed-in", "/settings/people", (p) => p.getByRole("table").or(p.getByText("Nobody is signed in")).first()],
  ["tokens", "/settings/tokens", (p) => p.getByRole("table", { name: "API tokens" })],
  ["passwords", "/settings/passwords", (p) => p.getByRole("heading", { name: "Recipients" })],
  ["nowhere", "/nowhere", (p) => p.getByText("Nothing is at this address")],
];

/** Takes the pictures, and holds every page to the rules of accessibility. */
export async function gallery(page) {
  const found = [];
  for (const [name, path, ready] of pages()) {
    await page.setViewportSize(wide);
    await page.emulateMedia({ colorScheme: "light" });
    await page.goto(url + path);
    const whole = await ready(page).first().waitFor().then(() => true, () => false);
    if (!whole) found.push(`${name}: the page does not become whole`);
    await picture(page, name, "light", "wide", found, true);
    await page.emulateMedia({ colorScheme: "dark" });
    await picture(page, name, "dark", "wide", found, false);
    await page.setViewportSize(narrow);
    await picture(page, name, "dark", "narrow", found, true);
    await page.emulateMedia({ colorScheme: "light" });
    await picture(page, name, "light", "narrow", found, false);
  }
  assert.deepEqual(found, [], "rules of accessibility that pages break");
}

async function picture(page, name, scheme, width, found, hold) {
  await page.locator(`html[data-mantine-color-scheme="${scheme}"]`).waitFor();
  await page.screenshot({ path: join(pictures, `${name}-${scheme}-${width}.png`), fullPage: true, animations: "disabled" });
  const spill = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  if (spill > 0) found.push(`${name}, ${width}: the page is ${spill} pixels too wide`);
  if (!hold) return;
  const { violations } = await new AxeBuilder({ page }).analyze();
  for (const v of violations) found.push(`${name}, ${scheme}, ${width}: ${v.id}: ${v.help}: ${v.nodes.map((n) => n.target.join(" ")).slice(0, 3).join("; ")}`);
}
