// A real browser on a real coordinator. What is played is told by the
// environment, as installer/e2e sets it:
//
//	PLAY_URL        address of the coordinator
//	PLAY_LINK       a link that signs in an administrator
//	PLAY_TOKEN      an API token of one
//	PLAY_STAGE      JSON: what an admin knows of their own systems, and how the agent is told things on its host
//	PLAY_PICTURES   folder for pictures
//	PLAY_CHROMIUM   the browser
//
// Each act is a journey of somebody who reads nothing but the page. An act that
// fails leaves a picture of what was seen last.
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";

const env = (name) => process.env[name] ?? "";

export const stage = JSON.parse(env("PLAY_STAGE"));
export const url = env("PLAY_URL");
export const link = env("PLAY_LINK");
export const token = env("PLAY_TOKEN");
export const pictures = env("PLAY_PICTURES");

/** Runs what an admin would run on the agent's host; words may hold a secret that is typed. */
export const onHost = (args, typed = "") => execFileSync(stage.agent, args, { input: typed, encoding: "utf8", timeout: 30_000 });

export async function open() {
  mkdirSync(pictures, { recursive: true });
  const browser = await chromium.launch({ executablePath: env("PLAY_CHROMIUM"), args: ["--no-sandbox", "--disable-gpu"] });
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, colorScheme: "light", reducedMotion: "reduce", locale: "en-GB", timezoneId: "Europe/Berlin" });
  context.setDefaultTimeout(60_000); // generous: a machine may be slow
  const page = await context.newPage();
  const faults = [];
  page.on("pageerror", (e) => faults.push(`the page threw ${e.message}`));
  page.on("console", (m) => {
    if (/Content Security Policy/i.test(m.text())) faults.push(`the policy was broken: ${m.text()}`);
  });
  return { browser, page, faults };
}

/** Plays the acts in turn on one page; the first that fails ends the play. */
export async function play(acts) {
  const { browser, page, faults } = await open();
  try {
    for (const [name, act] of acts) {
      const began = Date.now();
      try {
        await act(page);
      } catch (error) {
        await page.screenshot({ path: join(pictures, "failed.png"), fullPage: true });
        throw new Error(`${name}: ${error.message}\nat ${page.url()}; picture: ${join(pictures, "failed.png")}`, { cause: error });
      }
      console.log(`${name}: ${((Date.now() - began) / 1000).toFixed(1)} s`);
    }
    if (faults.length > 0) throw new Error(faults.join("\n"));
  } finally {
    await browser.close();
  }
}

/** Has something happen in the world around the dashboard; installer/e2e says what there is. */
export async function outside(name) {
  const response = await fetch(`${stage.outside}/${name}`, { method: "POST" });
  if (!response.ok) throw new Error(`${name}: ${await response.text()}`);
}
