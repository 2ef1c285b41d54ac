// look.cjs FOLDER FILE.html... - opens each mail in Chromium, light and dark, on a phone and a desk.
// SPDX-License-Identifier: Apache-2.0
// Prints one line for each fault: a page wider than the screen, text with a contrast below 4.5:1
// (WCAG 2.1, 1.4.3), any request. Screenshots go to FOLDER.
const path = require('path');
const { chromium } = require('playwright-core');

const LEAST_CONTRAST = 4.5;

// Runs in the page.
function lowContrasts(least) {
  const parse = (color) => color.match(/[\d.]+/g).map(Number);
  const channel = (value) => (value / 255 <= 0.04045
    ? value / 255 / 12.92
    : ((value / 255 + 0.055) / 1.055) ** 2.4);
  const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const background = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = parse(getComputedStyle(at).backgroundColor);
      if (color.length < 4 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  const faults = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim();
    if (!text) continue;
    const element = walker.currentNode.parentElement;
    const [a, b] = [luminance(parse(getComputedStyle(element).color)), luminance(background(element))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < least) faults.push(`${contrast.toFixed(2)}: ${text}`);
  }
  return faults;
}

async function look(browser, folder, file, colorScheme, width) {
  const name = `${path.basename(file, '.html')}-${colorScheme}-${width}`;
  const context = await browser.newContext({ colorScheme, viewport: { width, height: 600 } });
  const page = await context.newPage();
  const url = `file://${path.resolve(file)}`;
  page.on('request', (request) => {
    if (request.url() !== url) console.log(`${name}: requests ${request.url()}`);
  });
  await page.goto(url);
  const scrollWidth = await page.evaluate(() => document.documentElement.scrollWidth);
  if (scrollWidth > width) console.log(`${name}: ${scrollWidth} pixels wide`);
  for (const fault of await page.evaluate(lowContrasts, LEAST_CONTRAST)) {
    console.log(`${name}: contrast ${fault}`);
  }
  await page.screenshot({ path: path.join(folder, `${name}.png`), fullPage: true });
  await context.close();
}

async function main(folder, files) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-first-run'],
  });
  for (const file of files) {
    for (const colorScheme of ['light', 'dark']) {
      for (const width of [320, 800]) await look(browser, folder, file, colorScheme, width);
    }
  }
  await browser.close();
}

main(process.argv[2], process.argv.slice(3)).catch((error) => {
  console.error(error);
  process.exit(1);
});
