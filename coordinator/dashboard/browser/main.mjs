import { addWebhook, appearance, approveByKeyboard, changeMapping, decideDrift, setRing, merge, something, undo } from "./daily.mjs";
import { addHR, addTarget, approve, enrolAgent, explain, lookUp, signInByLink, signInByToken, writeAtOnce } from "./journeys.mjs";
import { gallery } from "./gallery.mjs";
import { link, play, stage } from "./play.mjs";

const journeys = [
  ["sign in by a link", (page) => signInByLink(page, link)],
  ["enrol an agent", enrolAgent],
  ["add the HR system", addHR],
  ["add a directory", addTarget],
  ["approve the first accounts", (page) => approve(page, stage.people)],
  ["write at once from now on", writeAtOnce],
  ["find a person and explain a value", explain],
  ["look up a job", lookUp],
  ["choose light and dark", appearance],
  ["change a mapping, and compare versions", changeMapping],
  ["undo from a person's page", undo],
  ["approve a held class by the keyboard", approveByKeyboard],
  ["decide about drift", decideDrift],
  ["add a webhook", addWebhook],
  ["put an agent into a ring", setRing],
  ["make two people one, and take it back", merge],
  ["more leave, one is refused", something],
];

await play([...journeys, ["pictures of every page, and axe", gallery], ["sign in by a token", signInByToken]]);
