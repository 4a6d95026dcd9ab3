// The journeys of a new admin: from nothing to an account in the directory.
import assert from "node:assert/strict";
import { onHost, stage, token, url } from "./play.mjs";

/** Signs in by the link that the coordinator prints on its host, and sees the heading of a page: that of a new one. */
export async function signInByLink(page, link, heading = "First steps") {
  await page.goto(link);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: heading }).waitFor();
}

/** Makes a command for another agent, runs it on its host, and sees that it has joined. */
export async function enrolAgent(page) {
  await page.getByRole("link", { name: "Agents", exact: true }).first().click();
  await page.getByRole("button", { name: "Enrol an agent" }).first().click();
  const dialog = page.getByRole("dialog", { name: "Enrol an agent" });
  await dialog.getByRole("button", { name: "Make the command" }).click();
  await dialog.getByRole("tab", { name: "Linux" }).click();
  const command = (await dialog.getByLabel("Command for Linux").first().innerText()).trim();
  const words = command.split(/\s+/);
  assert.deepEqual(words.slice(0, 3), ["sudo", "drawbridge-agent", "enroll"], command);
  onHost([...words.slice(2), "--config", stage.secondAgent]);
  await dialog.getByText("Joined: host").waitFor();
  await dialog.getByRole("button", { name: "Done" }).click();
  await page.getByRole("table", { name: "Agents" }).getByRole("row").nth(2).waitFor();
}

/** Adds the HR system by the wizard, says by hand what is made of its columns, and turns it on. */
export async function addHR(page) {
  await page.getByRole("link", { name: "Home" }).click();
  await page.getByRole("link", { name: "Add it: Add the HR system" }).click();
  await page.getByRole("radio", { name: "People come from it" }).waitFor();
  await page.getByRole("radio", { name: "CSV file" }).click();
  await page.getByRole("textbox", { name: "Name" }).fill("hr");
  await page.getByRole("button", { name: "Next: connection" }).click();
  await page.getByRole("textbox", { name: "path" }).fill(stage.hr.path);
  await page.getByRole("textbox", { name: "key" }).fill("employee_id");
  await page.getByRole("button", { name: /More settings/ }).click();
  await page.getByRole("textbox", { name: "delimiter" }).fill(";");
  await page.getByRole("button", { name: "Save, and test it" }).click();
  await page.getByRole("button", { name: "Test the connection" }).click();
  await page.getByText("The connection works").waitFor();
  await page.getByRole("button", { name: "Next: mapping" }).click();
  await page.getByText("This source makes nobody yet").waitFor();
  for (const [attribute, expression] of Object.entries(stage.hr.rules)) await addRule(page, attribute, expression);
  await page.getByRole("button", { name: "Turn it on" }).click();
  await page.getByRole("button", { name: "What would change?" }).click();
  await page.getByText(`${stage.people} people would be made`).waitFor();
  await page.getByRole("button", { name: "Apply", exact: true }).click();
  await page.getByText("What would change for everybody").waitFor({ state: "detached" });
  await page.getByRole("link", { name: "People", exact: true }).first().click();
  await page.getByText(`${stage.people} people are known`).waitFor();
}

async function addRule(page, attribute, expression) {
  await page.getByRole("combobox", { name: "Attribute to add" }).fill(attribute);
  await page.getByRole("button", { name: "Add a rule" }).click();
  const editor = page.getByRole("textbox", { name: `Expression of ${attribute}` });
  await editor.fill(expression);
  await page.getByRole("button", { name: new RegExp(`^${attribute.replaceAll(".", "\\.")} `) }).click();
}

/** Adds the first target. */
export async function addTarget(page) {
  await page.getByRole("link", { name: "Home" }).click();
  await page.getByRole("link", { name: "Add it: Add a target" }).click();
  assert.equal(await addDirectory(page, "corp-ad"), stage.people);
}

/**
 * Adds Active Directory by the wizard: secret on the agent's host, test step by step, mapping tried on a person, turned on,
 * applied. Returns for how many accounts are planned.
 */
export async function addDirectory(page, name) {
  await page.getByRole("radio", { name: "Active Directory" }).click();
  await page.getByRole("textbox", { name: "Name" }).fill(name);
  await page.getByRole("button", { name: "Next: connection" }).click();
  await page.getByRole("textbox", { name: "servers" }).fill(stage.ad.server);
  await page.getByRole("textbox", { name: "bind" }).fill(stage.ad.bind);
  await page.getByRole("button", { name: /More settings/ }).click();
  await page.getByRole("textbox", { name: "ca", exact: true }).fill(stage.ad.ca);
  await page.getByRole("textbox", { name: "base" }).fill(stage.ad.base);
  await page.getByRole("button", { name: "Save, and test it" }).click();
  const command = (await page.getByLabel("Command that sets password").first().innerText()).trim();
  await page.getByRole("button", { name: "Test the connection" }).click();
  await page.getByText("The connection does not work yet").waitFor();
  onHost([...command.split(/\s+/).slice(1), "--config", stage.config], `${stage.ad.password}\n`);
  await page.getByRole("button", { name: "Test the connection" }).click();
  await page.getByText("The connection works").waitFor();
  await page.getByText(/^Bind as/).waitFor();
  await page.getByRole("button", { name: "Next: mapping" }).click();
  await tryMapping(page);
  await page.getByRole("button", { name: "Turn it on" }).click();
  await page.getByRole("button", { name: "What would change?" }).click();
  const planned = await page.getByRole("row", { name: new RegExp(`^create ${name} `) }).innerText();
  await page.getByRole("textbox", { name: /^Why/ }).fill("Staff get accounts");
  await page.getByRole("button", { name: "Apply", exact: true }).click();
  await page.getByText("What would change for everybody").waitFor({ state: "detached" });
  return Number(planned.split(/\s+/)[2].replaceAll(",", ""));
}

/** While a rule is typed, what it gives for a real person is shown, and what is wrong with it. */
async function tryMapping(page) {
  await page.getByText("This target is for nobody yet").waitFor();
  await page.getByRole("button", { name: /^displayName/ }).click();
  const editor = page.getByRole("textbox", { name: "Expression of displayName" });
  await editor.fill("upper(name.familyNam)");
  await page.getByText(/did you mean name\.familyName/i).first().waitFor();
  await editor.fill('upper(name.familyName) + ", " + name.givenName');
  await page.getByText(stage.shown).first().waitFor();
  await page.getByLabel("What its functions do").getByText("upper(s)").waitFor();
  await page.getByRole("button", { name: /^displayName/ }).click();
}

/** Looks at the plan of the first accounts, and approves it. */
export async function approve(page, people, system) {
  await page.getByRole("link", { name: /^Changes/ }).click();
  await page.getByRole("link", { name: "Look at every change" }).click();
  await page.getByRole("table", { name: "Changes of the plan" }).getByText(stage.shown).first().waitFor();
  await page.getByRole("button", { name: `Approve ${people}` }).click();
  await page.getByText(/is approved/).first().waitFor();
  stage.plan = page.url().split("/").pop(); // for the gallery
}

/** Has a system written to at once from now on. */
export async function writeAtOnce(page) {
  await page.getByRole("link", { name: "Systems" }).first().click();
  await page.getByRole("link", { name: "corp-ad" }).click();
  await page.getByRole("button", { name: "Write at once from now on" }).click();
  await page.getByRole("button", { name: "Ask for approval from now on" }).waitFor();
}

/** Finds a person by the keyboard alone, and asks where a value of their account comes from. */
export async function explain(page) {
  await page.getByRole("link", { name: "Home" }).click();
  await page.locator("body").press("/");
  await page.getByRole("combobox", { name: "Name or number of a person" }).fill(stage.person.name);
  await page.getByRole("option", { name: new RegExp(stage.person.key) }).waitFor();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: stage.person.name, level: 1 }).waitFor();
  const value = page.getByRole("button", { name: /^displayName/ });
  await value.getByText(/^written/).waitFor(); // the page follows what goes on
  await value.press("Enter");
  await page.getByText("record " + stage.person.key).first().waitFor();
  await page.getByText(/^Written/).first().waitFor();
  await page.getByRole("tab", { name: "Time line" }).click();
  await page.getByText(/Create /).first().waitFor();
  await page.getByRole("button", { name: "Preview" }).click();
  await page.getByRole("dialog").getByRole("heading", { name: "corp-ad" }).waitFor();
  await page.keyboard.press("Escape");
}

/** Looks up how it came to an account: the job, with the exact request and answer. */
export async function lookUp(page) {
  await page.getByRole("link", { name: "History" }).first().click();
  await page.getByRole("listitem").filter({ hasText: "written" }).getByRole("link", { name: /^job \d+/ }).first().click();
  await page.getByRole("region", { name: /^Request/ }).waitFor();
  await page.getByRole("region", { name: /^Answer/ }).waitFor();
  stage.job = new URL(page.url()).searchParams.get("job"); // for the gallery
  await page.getByRole("button", { name: "Close" }).click();
}

/** Signs out, is told what is wrong with a token, and signs in with a good one. */
export async function signInByToken(page) {
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "Sign in to Drawbridge" }).waitFor();
  await page.goto(`${url}/systems/corp-ad`);
  await page.getByRole("button", { name: "Sign in with an API token" }).click();
  await page.getByRole("textbox", { name: "API token" }).fill("dba_nonsense");
  await page.getByRole("button", { name: "Use this token" }).click();
  await page.getByRole("alert").getByText(/make another/i).waitFor();
  await page.getByRole("textbox", { name: "API token" }).fill(token);
  await page.getByRole("button", { name: "Use this token" }).click();
  await page.getByRole("heading", { name: "corp-ad" }).waitFor();
}
