// Hand a complaint in over HTTP: `node over_http.mjs URL complaint.json KEY`.
// The channel's token is in CHANNEL_TOKEN. Prints the receipt; asks again with the
// same key until amends has answered. Node 18 or newer, no packages.
import { readFile } from "node:fs/promises";

const [address, file, key] = process.argv.slice(2);
if (!key || !process.env.CHANNEL_TOKEN || !/^https?:/.test(address)) {
  console.error("usage: CHANNEL_TOKEN=… node over_http.mjs http://HOST:PORT COMPLAINT KEY");
  process.exit(2);
}
const door = new URL(`${address}/api/intake/complaints`); // throws where it is no address
const body = await readFile(file);
for (;;) {
  let answer;
  try {
    answer = await fetch(door, {
      method: "POST",
      headers: {
        "Authorization": `Bearer ${process.env.CHANNEL_TOKEN}`,
        "Content-Type": "application/json",
        "Idempotency-Key": key,
      },
      body,
    });
  } catch {
    answer = { status: 503 };                  // amends is away, or starts again
  }
  if (answer.status === 503) {                 // not certain to be kept
    await new Promise((again) => setTimeout(again, 1000));
    continue;
  }
  console.log(await answer.text());
  process.exitCode = answer.ok ? 0 : 1;
  break;
}
