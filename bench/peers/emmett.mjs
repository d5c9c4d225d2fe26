// Appends each line of a file to a stream of its own; prints how many seconds that took.
// usage: node emmett.mjs FOLDER-WITH-node_modules DATABASE LINES
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [, , folder, database, lines] = process.argv;
const found = createRequire(`${folder}/package.json`).resolve('@event-driven-io/emmett-sqlite');
const emmett = await import(pathToFileURL(found).href);
const { getSQLiteEventStore } = emmett.default ?? emmett;
const store = getSQLiteEventStore({ fileName: database, schema: { autoMigration: 'CreateOrUpdate' } });
const events = readFileSync(lines, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line));
await store.appendToStream('warm', [{ type: 'Warm', data: {} }]);
const begun = performance.now();
for (const event of events) {
  await store.appendToStream(`case-${event.event_id}-${event.case_id}`, [{ type: event.type, data: event }], {
    expectedStreamVersion: 'STREAM_DOES_NOT_EXIST',
  });
}
console.log((performance.now() - begun) / 1000);
process.exit(0);
