import { addWebhook, appearance, approveByKeyboard, changeMapping, decideDrift, setRing, something, undo } from "./daily.mjs";
import { addDirectory, addHR, approve, enrolAgent, explain, lookUp, signInByLink, signInByToken } from "./journeys.mjs";
import { gallery } from "./gallery.mjs";
import { link, play } from "./play.mjs";

const journeys = [
  ["sign in by a link", (page) => signInByLink(page, link)],
  ["enrol an agent", enrolAgent],
  ["add the HR system", addHR],
  ["add a directory", addDirectory],
  ["approve the first accounts", approve],
  ["find a person and explain a value", explain],
  ["look up a job", lookUp],
  ["choose light and dark", appearance],
  ["change a mapping, and compare versions", changeMapping],
  ["undo from a person's page", undo],
  ["approve a held class by the keyboard", approveByKeyboard],
  ["decide about drift", decideDrift],
  ["add a webhook", addWebhook],
  ["put an agent into a ring", setRing],
  ["more leave, one is refused", something],
];

// The gallery takes minutes: PICTURES=1 go test ./installer/e2e -run Dashboard
const pictures = process.env.PICTURES ? [["pictures of every page, and axe", gallery]] : [];

await play([...journeys, ...pictures, ["sign in by a token", signInByToken]]);
