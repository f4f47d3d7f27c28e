// The page of `kubectl netwhy ui` in Chromium: `node ui_browser.mjs SCENARIO URL FOLDER`, where pictures go to FOLDER.
// DRIVER is Playwright's module and CHROMIUM the browser.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const { chromium } = await import(pathToFileURL(process.env.DRIVER).href);
const [scenario, url, folder] = process.argv.slice(2);
const origin = new URL(url).origin;
const PATIENCE = 60000;

const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args });
const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, colorScheme: 'light' });
const page = await context.newPage();
page.setDefaultTimeout(PATIENCE);
const foreign = [];
const errors = [];
const asked = [];
page.on('request', (request) => {
  asked.push(request.url());
  if (!request.url().startsWith(url)) foreign.push(request.url());
});
page.on('console', (message) => {
  if (message.type() === 'error' || message.type() === 'warning') errors.push(message.text());
});
page.on('pageerror', (error) => errors.push(String(error)));

const key = (name) => page.keyboard.press(name);
const view = (name) => page.waitForSelector(`body[data-loaded=${name}]`);
/** Goes to a view by its number. */
const go = async (name) => {
  await key(await page.locator(`nav a[data-view=${name}] kbd`).innerText());
  await view(name);
};
const focused = () => page.evaluate(() => document.activeElement?.closest('[data-nav]')?.dataset.key ?? null);
const text = (selector) => page.locator(selector).first().innerText();
const picture = (name) => page.screenshot({ path: join(folder, `${name}.png`) });

/** Presses a key until the entry with the focus is as wanted. */
async function walk(name, isWanted) {
  const seen = [];
  for (let i = 0; i < 60; i += 1) {
    await key(name);
    const now = await focused();
    seen.push(now);
    if (now && isWanted(now)) return now;
  }
  throw new Error(`${name} does not lead there: ${seen.join(', ')}`);
}

async function help() {
  await key('?');
  await page.waitForSelector('dialog#keys[open]');
  assert.match(await text('dialog#keys'), /Enter\s+open the page of the entry/);
  await key('Escape');
  await page.waitForSelector('dialog#keys:not([open])', { state: 'attached' });
}

async function pauses() {
  await key('p');
  await page.waitForFunction(() => document.getElementById('status').textContent.startsWith('paused'));
  const before = asked.length;
  await page.waitForTimeout(3000);
  assert.equal(asked.length, before, 'a paused page asks nothing');
  await key('p');
  await page.waitForFunction(() => !document.getElementById('status').textContent.startsWith('paused'));
}

/** The map has the same in red. */
async function maps() {
  await go('map');
  await page.locator('svg.map .node.hint', { hasText: 'cart-a' }).first().waitFor();
  assert.ok(await page.locator('svg.map .edge.hint').count() > 0, 'an edge with a hint is red');
  const red = await page.locator('svg.map .edge.hint .line').first().evaluate((node) => getComputedStyle(node).stroke);
  assert.equal(red, 'rgb(179, 22, 31)');
  assert.match(await text('main table'), /peer_refusing/);
  await picture('map');
  await walk('ArrowRight', (entry) => entry.startsWith('node:'));
}

/** The colours follow the system's scheme. */
async function schemes(name) {
  const back = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await back();
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.waitForTimeout(300);
  assert.notEqual(await back(), light);
  await picture(`${name}-dark`);
  await page.emulateMedia({ colorScheme: 'light' });
}

const scenarios = {
  /** A server is down: cart-a and web-a are refused. */
  async fault() {
    await page.goto(url);
    await view('hints');
    const row = page.locator('#view a.row.firing', { hasText: 'peer_refusing' }).filter({ hasText: 'cart-a' });
    await row.first().waitFor();
    assert.match(await text('#view h2'), /^\d+ hints? now$/);
    assert.match(await row.first().innerText(), /refuses cart-a/);
    assert.equal(await row.first().locator('.bar.firing').count(), 1, 'the timeline has its bar');
    await help();
    await picture('hints');

    // The keyboard alone leads to the page of the Pod.
    await walk('ArrowDown', (entry) => entry.includes('|cart-a|'));
    await key('Enter');
    await view('why');
    await page.locator('.verdict.bad', { hasText: 'peer_refusing' }).waitFor();
    assert.match(await text('.verdict'), /Next step:/);
    assert.match(await text('#evidence'), /netwhy_tcp_connect_failures_total/);
    await page.locator('#evidence .chart canvas').first().waitFor();
    assert.match(await text('#chain'), /peer_refusing/);
    assert.match(await text('#ruled-out'), /peer_unreachable/);
    assert.match(await text('#waterfall'), /Where the time goes/);
    // It is live, and its charts stay while it asks again.
    const canvas = await page.locator('#evidence .chart canvas').first().elementHandle();
    const polls = asked.filter((one) => one.includes('/api/why')).length;
    await page.waitForFunction(() => performance.getEntriesByType('resource').filter((one) => one.name.includes('/api/why')).length > 3);
    assert.ok(asked.filter((one) => one.includes('/api/why')).length > polls);
    assert.ok(await canvas.evaluate((node) => node.isConnected), 'a chart is drawn on, not made anew');
    await page.waitForTimeout(6000);
    await picture('why');
    await schemes('why');
    await key('Escape');
    await view('hints');

    await maps();
    await go('nodes');
    assert.match(await text('#view'), /No traffic between Nodes|Nodes by blame/);
    await pauses();
  },

  /** Eleven of twelve Nodes answer; node-00000 loses what is sent to it. */
  async fleet() {
    await page.goto(url);
    await view('hints');
    assert.match(await text('#view h2'), /^\d+ hints now$/);
    assert.match(await text('#notices'), /1 agent did not answer/);
    await go('nodes');
    await page.locator('table.matrix').waitFor();
    assert.equal(await page.locator('table.matrix tbody tr').count(), 12);
    const to = page.locator('td[data-key$="→node-00000"]');
    assert.match(await to.first().getAttribute('class'), /heat[1-5]/);
    assert.match(await to.first().getAttribute('aria-label'), /→ node-00000: loss \d/);
    await picture('nodes');
    // Arrows walk the cells, and the line below has the figures of each.
    const first = await walk('ArrowDown', (entry) => entry.includes('→'));
    assert.equal(first.split('→')[1], 'node-00000', 'below the first head');
    await page.waitForFunction((pair) => document.getElementById('pair').textContent.includes(pair.replace('→', ' → ')), first);
    const right = await walk('ArrowRight', (entry) => entry.includes('→'));
    assert.equal(right.split('→')[0], first.split('→')[0], 'the same row');
    await walk('ArrowLeft', (entry) => entry === `row:${first.split('→')[0]}`);
    await walk('ArrowRight', (entry) => entry === first);
    const below = await walk('ArrowDown', (entry) => entry !== first);
    assert.equal(below.split('→')[1], 'node-00000', 'the same column');
    // The focus stays where it is while the page asks again.
    const polls = asked.filter((one) => one.includes('/api/matrix')).length;
    while (asked.filter((one) => one.includes('/api/matrix')).length < polls + 2) await page.waitForTimeout(100);
    await page.waitForTimeout(500);
    assert.equal(await focused(), below);
    await page.getByRole('button', { name: 'RTT' }).click();
    await page.locator('button[aria-pressed=true]', { hasText: 'RTT' }).waitFor();
    assert.match(await text('table.matrix tbody td.cell'), /s$/);
    await schemes('nodes');

    // The field leads to any target, and Esc back.
    await key('/');
    await page.keyboard.type('shop/pod/app-00007-0');
    await key('Enter');
    await view('why');
    await page.locator('.verdict', { hasText: 'app-00007-0 loses packets to node-00000' }).waitFor();
    assert.match(await text('#differs'), /driver_version/);
    await key('Escape');
    await view('nodes');
    // A wrong target is one line, and the page goes on.
    await key('/');
    await page.keyboard.type('pod/none');
    await key('Enter');
    await page.locator('.notice.bad', { hasText: 'none' }).waitFor();
    errors.splice(0, errors.length, ...errors.filter((one) => !one.includes('status of 502')));
    await go('hints');
    await help();
    await pauses();
  },
};

try {
  await scenarios[scenario]();
  assert.deepEqual(foreign, [], `requests beyond ${origin}`);
  assert.deepEqual(errors, [], 'messages of the console');
  console.log(`${scenario}: ${asked.length} requests, all to ${origin}`);
} catch (error) {
  await picture(`${scenario}-failed`).catch(() => {});
  console.error(error, '\n', await page.locator('body').innerText().catch(() => ''), '\n', errors);
  process.exitCode = 1;
} finally {
  await browser.close();
}
