// The page on which a new password is picked up. Its key stands behind the # of
// the link, which browsers send to nobody: the coordinator gives a sealed box to
// whoever can name the hash of the key, and the box is opened here.
import { Decrypter } from "age-encryption";

const key = decodeURIComponent(location.hash.slice(1)).trim();
history.replaceState(null, "", location.pathname); // out of the address bar, the history and what is synced of it

const element = (id) => document.getElementById(id);
const say = (text) => { element("says").textContent = text; };
const bytes = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));

/** The name of the link: whoever has it may fetch boxes, and open none. */
async function nameOf(secret) {
  const sum = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(`drawbridge pick-up\n${secret}`));
  return Array.from(new Uint8Array(sum), (b) => b.toString(16).padStart(2, "0")).join("");
}

async function ask(path, body) {
  const response = await fetch(`/pickup/${path}`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), cache: "no-store", referrerPolicy: "no-referrer" });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error ?? `The coordinator answered ${response.status}. Try again later.`);
  return answer;
}

async function open() {
  const link = await nameOf(key);
  const { passwords, before } = await ask("boxes", { link });
  if (passwords.length === 0) {
    say(before ? "Nothing waits for you now: what there was has been picked up." : "Your account is not made yet. Open the same link again later.");
  } else {
    const decrypter = new Decrypter();
    decrypter.addIdentity(key);
    const opened = [];
    for (const p of passwords) opened.push({ ...p, text: await decrypter.decrypt(bytes(p.box), "text") });
    await ask("done", { link, passwords: passwords.map((p) => p.id) }); // first: what is shown is shown once
    for (const p of opened) {
      const name = document.createElement("dt"), text = document.createElement("dd");
      name.textContent = `${p.account} in ${p.system}`;
      text.textContent = p.text;
      element("passwords").append(name, text);
    }
    element("passwords").hidden = false;
    say("Shown once: sign in with it now. It is gone from here when this page closes.");
  }
  element("open").hidden = true;
  if (before) {
    element("before").textContent = `Passwords were fetched with this link before, on ${new Date(before.at).toLocaleString()} from ${before.address}. If that was not you, tell your service desk now.`;
    element("before").hidden = false;
  }
}

if (!key.startsWith("AGE-SECRET-KEY-1")) {
  say("This link is not whole. Copy all of it, to its last letter, and open it again.");
} else if (!globalThis.crypto?.subtle) {
  say("This page must be opened by https://; tell your service desk.");
} else {
  say("Have nobody look at your screen. The password is shown once.");
  const button = element("open");
  button.hidden = false;
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await open();
    } catch (error) {
      button.disabled = false;
      say(/no identity matched|age/i.test(error.message) ? "This link does not open what waits here. Copy all of it and open it again." : error.message);
    }
  });
}
