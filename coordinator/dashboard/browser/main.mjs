import { addDirectory, addHR, approve, enrolAgent, explain, lookUp, signInByLink, signInByToken } from "./journeys.mjs";
import { gallery } from "./gallery.mjs";
import { link, play } from "./play.mjs";

await play([
  ["sign in by a link", (page) => signInByLink(page, link)],
  ["enrol an agent", enrolAgent],
  ["add the HR system", addHR],
  ["add a directory", addDirectory],
  ["approve the first accounts", approve],
  ["find a person and explain a value", explain],
  ["look up a job", lookUp],
  ["pictures of every page, and axe", gallery],
  ["sign in by a token", signInByToken],
]);
