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
];

// The gallery takes minutes on a small machine: PICTURES=1 go test ./installer/e2e -run Dashboard
const more = [["pictures of every page, and axe", gallery], ["sign in by a token", signInByToken]];

await play(process.env.PICTURES ? [...journeys, ...more] : journeys);
