// Opens a one-time link in a real browser, as installer/e2e has it do, and prints
// what it sees and what it sent as a line of JSON:
//
//	PICK_LINK      the link
//	PICK_CHROMIUM  the browser
//	PICK_PICTURE   file for a picture
import { chromium } from "../../dashboard/node_modules/playwright-core/index.mjs";

const browser = await chromium.launch({ executablePath: process.env.PICK_CHROMIUM, args: ["--no-sandbox", "--disable-gpu"] });
try {
  const page = await browser.newPage({ viewport: { width: 900, height: 640 } });
  page.setDefaultTimeout(60_000); // generous: a machine may be slow
  const faults = [], sent = [];
  page.on("pageerror", (e) => faults.push(`the page threw ${e.message}`));
  page.on("console", (m) => { if (/Content Security Policy/i.test(m.text())) faults.push(m.text()); });
  page.on("request", (r) => sent.push(`${r.method()} ${r.url()} ${JSON.stringify(r.headers())} ${r.postData() ?? ""}`));
  await page.goto(process.env.PICK_LINK);
  const quiet = sent.filter((s) => s.startsWith("POST")).length; // before anybody has clicked
  const button = page.getByRole("button", { name: "Show my password" });
  await button.waitFor();
  await button.focus();
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.getElementById("open").hidden || !document.getElementById("open").disabled);
  await page.screenshot({ path: process.env.PICK_PICTURE });
  console.log(JSON.stringify({
    says: await page.locator("#says").innerText(), passwords: await page.locator("#passwords dd").allInnerTexts(), names: await page.locator("#passwords dt").allInnerTexts(),
    before: await page.locator("#before").isVisible(), address: page.url(), quiet, sent, faults,
  }));
} finally {
  await browser.close();
}
