// fetch.mjs - what a page of another origin may do in a real browser.
// SPDX-License-Identifier: Apache-2.0
//
//   node fetch.mjs FOLDER ORIGIN CHROMIUM <calls.json
//
// FOLDER has node_modules/playwright-core. The page is at ORIGIN, which this program serves (a free
// port where it ends in :0 is the caller's to find). calls.json is an array of scripts, bodies of
// an async function; what each returns or throws is printed as one array of JSON.
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';

const [folder, origin, chromium] = process.argv.slice(2);
const { chromium: driver } = createRequire(`${folder}/`)('playwright-core');
const scripts = JSON.parse(readFileSync(0, 'utf8'));

const site = createServer((request, response) => {
  response.setHeader('Content-Type', 'text/html; charset=utf-8');
  response.end('<!doctype html><title>A page of another origin</title>');
});
await new Promise((resolve) => site.listen(Number(new URL(origin).port), '127.0.0.1', resolve));

const browser = await driver.launch({
  executablePath: chromium,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
         '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
try {
  const page = await browser.newPage();
  await page.goto(`${origin}/`);
  const results = [];
  for (const script of scripts) {
    results.push(await page.evaluate(async (text) => {
      try {
        const run = Object.getPrototypeOf(async () => {}).constructor(text);
        return await run();
      } catch (error) {
        return { thrown: error.name };
      }
    }, script));
  }
  console.log(JSON.stringify(results));
} finally {
  await browser.close();
  site.close();
}
