// Keep a department's events over HTTP: `node over_http.mjs URL kept.ndjson`.
// The token is in FEED_TOKEN. Each line of the file is one answer, with its
// events and its cursor; a line that a crash cut off is dropped at the next start.
// Needs Node 18 or newer and no packages.

import { appendFileSync, existsSync, readFileSync, truncateSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const [address, file] = process.argv.slice(2);
if (!file || !process.env.FEED_TOKEN || !/^https?:/.test(address)) {
  console.error("usage: FEED_TOKEN=… node over_http.mjs http://HOST:PORT FILE");
  process.exit(2);
}
const feed = new URL(`${address}/api/handling/feed`); // throws where it is no address
const headers = { Authorization: `Bearer ${process.env.FEED_TOKEN}` };

function lastCursor() {
  if (!existsSync(file)) return null;
  const kept = readFileSync(file);
  const whole = kept.lastIndexOf("\n") + 1;
  truncateSync(file, whole);
  const lines = kept.subarray(0, whole).toString().trimEnd();
  return lines ? JSON.parse(lines.slice(lines.lastIndexOf("\n") + 1)).cursor : null;
}

let cursor = lastCursor();
for (;;) {
  feed.search = new URLSearchParams({ wait: "30", ...(cursor && { after: cursor }) });
  let answer, text;
  try {
    answer = await fetch(feed, { headers });
    text = await answer.text();
  } catch {
    await sleep(1000); // amends is away, or starts again
    continue;
  }
  if (!answer.ok) {
    // 409 means that the record was restored: begin again, and pass over what you have.
    if (answer.status < 500) throw new Error(text);
    await sleep(1000);
    continue;
  }
  const page = JSON.parse(text);
  if (page.events.length) appendFileSync(file, text + "\n", { flush: true });
  cursor = page.cursor;
}
