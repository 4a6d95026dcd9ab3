// From `make demo` to a new Active Directory with a mapping and an approved plan, reading nothing but the page.
import { addDirectory, approve, signInByLink } from "./journeys.mjs";
import { link, play, stage } from "./play.mjs";

const add = async (page) => {
  await page.getByRole("link", { name: "Systems" }).first().click();
  await page.getByRole("link", { name: "Add a system" }).or(page.getByRole("button", { name: "Add a system" })).first().click();
  await page.getByRole("radio", { name: "People get accounts in it" }).click();
  stage.made = await addDirectory(page, stage.name);
};

await play([
  ["sign in by the link that the demonstration prints", (page) => signInByLink(page, link, "What happened last")],
  ["add another Active Directory", add],
  ["approve its accounts", (page) => approve(page, stage.made)],
]);
console.log(`approved: ${stage.made}`);
