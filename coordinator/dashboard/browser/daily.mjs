// What an admin does once everything runs: decides, undoes, looks after agents and notifications.
import assert from "node:assert/strict";
import { outside, stage } from "./play.mjs";

const scheme = (page, of) => page.locator(`html[data-mantine-color-scheme="${of}"]`).waitFor();

/** Chooses dark, which stays when the page is loaded anew, then light, then as the computer has it. */
export async function appearance(page) {
  const choose = async (name) => {
    await page.getByRole("button", { name: "Appearance" }).click();
    await page.getByRole("menuitem", { name }).click();
  };
  await choose("Dark");
  await scheme(page, "dark");
  await page.reload();
  await scheme(page, "dark");
  await choose("Light");
  await scheme(page, "light");
  await choose("As this computer");
  await page.emulateMedia({ colorScheme: "dark" });
  await scheme(page, "dark");
  await page.emulateMedia({ colorScheme: "light" });
  await scheme(page, "light");
}

/** Changes a rule, sees what that would change for everybody before it is saved, and what each version changed. */
export async function changeMapping(page) {
  await page.getByRole("link", { name: "Mappings" }).first().click();
  await page.getByRole("link", { name: "corp-ad" }).first().click();
  await page.getByRole("button", { name: /^title/ }).click();
  const forecast = page.getByRole("region", { name: "What would change for everybody" });
  await page.getByRole("textbox", { name: "Expression of title" }).fill('title + " (staff)"');
  await page.getByRole("button", { name: "What would change?" }).click();
  await forecast.getByText(`${stage.people} people looked at; something changes for ${stage.people}.`).waitFor();
  await forecast.getByRole("row", { name: new RegExp(`^title 0 ${stage.people} 0`) }).waitFor();
  await page.getByRole("textbox", { name: "Expression of title" }).fill("title");
  await page.getByRole("combobox", { name: "What others write there" }).click();
  await page.getByRole("option", { name: "stays until somebody decides" }).click();
  await page.getByRole("button", { name: "What would change?" }).click();
  await forecast.getByText("Nothing changes for anybody").waitFor();
  await forecast.getByLabel("Change of the document of corp-ad").getByText("drift: leave").waitFor();
  await page.getByRole("textbox", { name: /^Why/ }).fill("Titles are decided by hand");
  await page.getByRole("button", { name: "Apply", exact: true }).click();
  await forecast.waitFor({ state: "detached" });
  await page.getByRole("tab", { name: "Versions" }).click();
  await page.getByRole("row", { name: /in force.*Titles are decided by hand/ }).waitFor();
  await page.getByLabel(/^Difference of revision/).getByText("drift: leave").waitFor();
  await page.getByRole("button", { name: "What revision 2 changed" }).click();
  await page.getByLabel("Difference of revision 2").getByText(/^-.*scope/).waitFor();
}

/** Sees a change of HR arrive, and has it undone from the person's own page. */
export async function undo(page) {
  await outside("move");
  await page.goto(new URL(`/people/${stage.person.key}`, page.url()).href);
  const title = page.getByRole("button", { name: /^title/ });
  await title.getByText(stage.movedTitle).waitFor();
  await title.getByText(/^written/).waitFor();
  await page.getByRole("tab", { name: "Time line" }).click();
  await page.getByRole("button", { name: /^Undo: .*title/ }).first().click();
  await page.getByRole("dialog", { name: "Plan to undo it?" }).getByRole("button", { name: "Make the plan" }).click();
  await page.getByRole("table", { name: "Changes of the plan" }).getByText(`${stage.movedTitle} → ${stage.title}`).waitFor();
  await page.getByRole("button", { name: "Approve 1" }).click();
  await page.getByText(/is approved/).first().waitFor();
  await page.getByRole("link", { name: stage.person.name }).first().click();
  await title.getByText(stage.title).waitFor();
}

/** Approves a class of change that is held, by the keyboard alone. */
export async function approveByKeyboard(page) {
  await outside("leave");
  await page.getByRole("link", { name: /^Home/ }).click();
  await page.getByRole("link", { name: /^Changes.*need attention/ }).waitFor();
  await page.reload();
  await page.getByRole("link", { name: /^Changes.*need attention/ }).waitFor();
  await press(page, page.getByRole("link", { name: /^Changes/ }).first(), "Enter");
  const held = page.getByRole("region", { name: `${stage.gone} changes of class disable in corp-ad` });
  await held.waitFor();
  await press(page, held.getByRole("button", { name: `Approve ${stage.gone}` }), "Enter");
  await page.getByText(`${stage.gone} changes approved`).first().waitFor();
  await held.waitFor({ state: "detached" });
  await page.goto(new URL(`/people/${stage.leaver}`, page.url()).href);
  await page.getByRole("region", { name: "corp-ad" }).getByText("disabled").first().waitFor();
}

const most = 120; // presses of Tab until something must have been reached

/** Goes to something by Tab, sees that it shows that it has the focus, and presses a key. */
async function press(page, target, key) {
  await target.waitFor();
  for (let n = 0; n < most; n++) {
    if (await target.evaluate((e) => e === document.activeElement).catch(() => false)) {
      const seen = await target.evaluate((e) => e.matches(":focus-visible") && getComputedStyle(e).outlineStyle !== "none");
      assert.ok(seen, `what has the focus does not show it: ${await target.innerText()}`);
      await page.keyboard.press(key);
      return;
    }
    await page.keyboard.press("Tab");
  }
  throw new Error(`Tab does not lead to it: ${target}`);
}

/** Sees what somebody else changed in the directory, lets one be and puts the other back. */
export async function decideDrift(page) {
  await outside("by-hand");
  await page.getByRole("link", { name: "Systems" }).first().click();
  await page.getByRole("link", { name: "corp-ad" }).click();
  await page.getByRole("button", { name: "Read it now" }).click();
  await page.getByRole("link", { name: /^Changes/ }).first().click();
  await page.getByRole("tab", { name: "Drift" }).click();
  const rows = page.getByRole("table", { name: "Drift" });
  for (const name of stage.byHand) await rows.getByRole("row", { name: new RegExp(`^${name} title corp-ad .*${stage.byHandText} Waits for a decision`) }).waitFor();
  await rows.getByRole("checkbox", { name: new RegExp(`^Choose ${stage.byHand[0]}`) }).check();
  await page.getByRole("button", { name: "Put it back" }).click();
  await page.getByText("Put back: 1 difference").first().waitFor();
  await rows.getByRole("row", { name: new RegExp(`^${stage.byHand[0]}`) }).waitFor({ state: "detached" });
}

/** Has a program told of what needs a person, tries it, and looks at the exact request and answer. */
export async function addWebhook(page) {
  await page.getByRole("link", { name: "Settings" }).first().click();
  await page.getByRole("tab", { name: "Notifications" }).click();
  await page.getByRole("button", { name: "Add a webhook" }).click();
  const dialog = page.getByRole("dialog", { name: "Add a webhook" });
  await dialog.getByRole("textbox", { name: "What it is for" }).fill("on-call");
  await dialog.getByRole("textbox", { name: "Address" }).fill(`${stage.outside}/hook`);
  await dialog.getByRole("button", { name: "Add it" }).click();
  assert.match(await dialog.getByLabel("Secret that signs the events", { exact: true }).innerText(), /^whsec_/);
  await dialog.getByRole("button", { name: "Done" }).click();
  await page.getByRole("table", { name: "Webhooks" }).getByRole("link", { name: "on-call" }).click();
  await page.getByRole("button", { name: "Post a test event" }).click();
  await page.getByRole("row", { name: /of test delivered HTTP 200/ }).waitFor();
  stage.webhook = page.url().split("/").pop(); // for the gallery
  await page.getByRole("button", { name: "Request and answer of test" }).click();
  await page.getByRole("region", { name: /^Request/ }).getByText(/POST \/hook HTTP\/1\.1[\s\S]*Webhook-Signature: v1,[\s\S]*"type": "test"/).waitFor();
  await page.getByRole("region", { name: /^Answer/ }).getByText(/HTTP\/1\.1 200 OK[\s\S]*thank you/).waitFor();
  await page.getByRole("button", { name: "Close" }).click();
}

/** Puts an agent into a ring, and finds it by that. */
export async function setRing(page) {
  await page.getByRole("link", { name: /^Agents/ }).first().click();
  await page.getByRole("table", { name: "Agents" }).getByRole("row").nth(1).getByRole("link").click();
  stage.agentID = page.url().split("/").pop(); // for the gallery
  await page.getByRole("button", { name: "Change the update ring" }).click();
  await page.getByRole("dialog").getByRole("combobox", { name: "Ring" }).or(page.getByRole("dialog").getByRole("textbox", { name: "Ring" })).first().fill("canary");
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").getByRole("button", { name: "Save" }).click();
  const why = page.getByRole("dialog", { name: "Why?" }); // this organisation wants a reason for it
  await why.getByRole("textbox", { name: "Reason" }).fill("tries releases first");
  await why.getByRole("button", { name: "Do it", exact: true }).click();
  await page.getByRole("dialog").first().waitFor({ state: "detached" });
  await page.getByText("canary").first().waitFor();
  await page.getByRole("link", { name: /^Agents/ }).first().click();
  await page.getByRole("textbox", { name: "Ring" }).fill("canary");
  await page.getByRole("table", { name: "Agents" }).getByRole("row").nth(2).waitFor({ state: "detached" });
  await page.getByRole("cell", { name: "canary" }).waitFor();
}

/** Makes two people one, seeing first what that changes, looks at splitting them, and takes it back. */
export async function merge(page) {
  const [from, into] = stage.same;
  await page.goto(new URL(`/people/${from.key}?tab=records`, page.url()).href);
  await page.getByRole("button", { name: "Merge into …" }).click();
  const dialog = page.getByRole("dialog", { name: `${from.name} is the same person as …` });
  await dialog.getByRole("combobox", { name: "The person who stays" }).or(dialog.getByRole("textbox", { name: "The person who stays" })).first().fill(into.key);
  await page.getByRole("option", { name: new RegExp(into.key) }).click();
  await dialog.getByText(/change hands|changes hands/).waitFor();
  await dialog.getByText(`of corp-ad`).first().waitFor(); // whose account is let go
  await dialog.getByRole("button", { name: "Merge", exact: true }).click();
  await page.waitForURL(`**/people/${into.key}?tab=records`);
  const records = page.getByRole("table", { name: "Records and accounts" });
  for (const one of [from, into]) await records.getByRole("row", { name: new RegExp(`record: tells of them hr ${one.key}`) }).waitFor();
  await page.getByRole("row", { name: new RegExp(`${from.key} became one with ${into.key}`) }).waitFor();
  await records.getByRole("checkbox", { name: /^Not theirs: record/ }).first().check();
  await page.getByRole("button", { name: "Split off …" }).click();
  const split = page.getByRole("dialog", { name: /becomes a new person’s$/ });
  await split.getByText(/changes hands/).waitFor();
  await split.getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("link", { name: "History" }).first().click();
  await page.getByRole("tab", { name: "Merged and split" }).click();
  await page.getByRole("button", { name: `Take back: merge of ${from.key}` }).click();
  const back = page.getByRole("dialog", { name: `Make ${from.key} a person of their own again?` });
  await back.getByText(/change hands|changes hands/).waitFor();
  await back.getByRole("button", { name: "Take it back" }).click();
  await page.getByText(/taken back .* by local admin/).waitFor();
  await page.goto(new URL(`/people/${from.key}`, page.url()).href);
  await page.getByRole("heading", { name: from.name, level: 1 }).waitFor();
  await page.getByRole("region", { name: "corp-ad" }).getByText("enabled").first().waitFor();
}

/** More people leave, and one gets a title that the directory refuses: what the gallery shows of that. */
export async function something(page) {
  await outside("leave-later");
  await page.getByRole("link", { name: /^Changes/ }).first().click();
  await page.getByRole("region", { name: `${stage.goneLater} changes of class disable in corp-ad` }).waitFor();
  await page.getByRole("link", { name: /^Problems.*need attention/ }).waitFor();
  await page.getByRole("tab", { name: "Cycles" }).click();
  stage.cycle = await page.getByRole("table", { name: "Cycles" }).getByRole("row", { name: / hr applied / }).first().getByRole("link").first().innerText(); // for the gallery
}
