// The page: which view is shown, what it asks for, and when.

import { clean, el, show } from './dom.js';
import { clock, count } from './format.js';
import { listen } from './keys.js';
import { draw } from './series.js';
import * as hints from './hints.js';
import * as map from './map.js';
import * as nodes from './nodes.js';
import * as why from './why.js';

/** Pause between two look-ups of a page that is visible, ms. */
const PAUSE = 2000;
/** A look-up may take so long, ms: agents replay their history for a moment in the past. */
const LIMIT = 60000;

const VIEWS = { hints, map, nodes, why };
const $ = (id) => document.getElementById(id);
const scope = { context: '', namespace: '' };
let about = { contexts: [], views: [] };
let route = null;
let turn = 0;
let running = null;
let timer = null;
let isPaused = false;

/** A failure of a look-up, as the commands print it. */
class Failure extends Error {}

async function ask(path, question, signal) {
  const query = new URLSearchParams();
  const wanted = { context: scope.context, namespace: scope.namespace || '*', ...question };
  for (const [name, value] of Object.entries(wanted)) if (value) query.set(name, value);
  let response;
  try {
    response = await fetch(`api/${path}?${query}`, { signal: AbortSignal.any([signal, AbortSignal.timeout(LIMIT)]) });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Failure(error.name === 'TimeoutError' ? 'no answer within 60 s' : '`kubectl netwhy ui` does not run any more');
  }
  const answer = await response.json().catch(() => ({ what: `the answer (${response.status}) can't be read`, remedy: '' }));
  if (!response.ok) throw new Failure([answer.what, answer.remedy].filter(Boolean).join('; '));
  return answer;
}

function parsed() {
  const [path, query] = location.hash.replace(/^#\/?/, '').split('?');
  const parts = path.split('/').map(decoded);
  const view = parts[0] === 'why' || about.views.includes(parts[0]) ? parts[0] : 'hints';
  return { view, parts: parts.slice(1), at: new URLSearchParams(query ?? '').get('at') ?? '' };
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The address of a target's page. `at`: a moment in the past, RFC 3339. */
function link(namespace, target, at) {
  const path = `#/why/${encodeURIComponent(namespace)}/${encodeURIComponent(target)}`;
  return at ? `${path}?at=${encodeURIComponent(at)}` : path;
}

function notices(all) {
  const data = all.filter(Boolean);
  show($('notices'), data, () => data.map(({ head, lines, bad }) => {
    const tag = lines?.length ? 'details' : 'p';
    const rest = (lines ?? []).slice(0, 50).map((line) => el('li', {}, line));
    const class_ = bad ? 'notice bad' : 'notice';
    return el(tag, { class: class_ }, rest.length ? el('summary', {}, head) : head, rest.length ? el('ul', {}, rest) : null);
  }));
}

function silence(silent) {
  if (!silent?.length) return null;
  const lines = silent.map(({ node, why: reason }) => `${node}: ${reason}`);
  return { head: `${count(silent.length, 'agent')} did not answer: this view is partial`, lines };
}

async function refresh() {
  clearTimeout(timer);
  running?.abort();
  running = new AbortController();
  const own = ++turn;
  const { signal } = running;
  const view = VIEWS[route.view];
  let failure = null;
  try {
    const data = await view.load(page, route, signal);
    if (own !== turn) return;
    view.draw($('view'), data, page, route);
    draw();
    document.body.dataset.loaded = route.view;
    notices([...(view.notices?.(data) ?? []), silence(data.silent)]);
    $('status').textContent = `${isPaused ? 'paused · ' : ''}${clock(Date.now(), true)}${data.agents === undefined ? '' : ` · ${count(data.agents, 'agent')}`}`;
  } catch (error) {
    if (own !== turn || error.name === 'AbortError') return;
    if (!(error instanceof Failure)) console.error(error);
    failure = error;
    notices([{ head: `Not up to date: ${error.message}`, bad: true }]);
    if (!$('view').firstChild) show($('view'), 'empty', () => el('p', { class: 'empty' }, 'Nothing to show yet.'));
  }
  document.body.classList.toggle('stale', failure !== null);
  const isOnce = route.at && !failure;
  if (!isOnce && !isPaused && document.visibilityState === 'visible') timer = setTimeout(refresh, PAUSE);
}

function enter() {
  const before = route;
  route = parsed();
  const isNew = before?.view !== route.view || JSON.stringify(before.parts) !== JSON.stringify(route.parts) || before.at !== route.at;
  for (const anchor of document.querySelectorAll('nav a')) {
    if (anchor.dataset.view === route.view) anchor.setAttribute('aria-current', 'page');
    else anchor.removeAttribute('aria-current');
  }
  if (isNew) {
    delete document.body.dataset.loaded;
    show($('view'), ['loading', route], () => el('p', { class: 'empty' }, 'Asking the agents …'));
    if (before) VIEWS[before.view].leave?.();
    scrollTo(0, 0);
    if (before) $('view').focus({ preventScroll: true });
  }
  document.title = route.view === 'why' ? `${clean(route.parts[1], 80)} · netwhy` : `netwhy ${route.view}`;
  refresh();
}

const page = {
  ask,
  link,
  scope,
  go: (hash) => { location.hash = hash; },
  refresh: () => refresh(),
  isSeveral: () => about.contexts.length > 1,
};

/** Esc: from the page of a target to where it was opened, else to the first view. */
function back() {
  if (route.view !== 'why') return;
  if (history.length > 1 && page.came) history.back();
  else page.go('#/hints');
}

function pause() {
  isPaused = !isPaused;
  $('pause').setAttribute('aria-pressed', String(isPaused));
  $('pause').textContent = isPaused ? 'Go on' : 'Pause';
  refresh();
}

/** Names for the fields, from what was shown. */
page.suggest = (id, names) => {
  const data = [...new Set(names.filter(Boolean))].sort().slice(0, 300);
  show($(id), data, () => data.map((name) => el('option', { value: name })));
};

function fields() {
  $('namespace').value = scope.namespace;
  $('namespace').addEventListener('change', () => {
    scope.namespace = $('namespace').value.trim();
    refresh();
  });
  $('open').addEventListener('submit', (event) => {
    event.preventDefault();
    const target = $('target').value.trim();
    if (!target) return;
    $('target').value = '';
    $('target').blur();
    // `namespace/pod/NAME`, as the suggestions have it, or a target in the chosen namespace.
    const parts = target.split('/');
    page.go(parts.length > 2 ? link(parts[0], parts.slice(1).join('/')) : link(scope.namespace, target));
  });
  const several = about.contexts.length > 1;
  $('context').hidden = !several;
  if (several) {
    $('context').replaceChildren(...about.contexts.map(({ name }) => el('option', { value: name }, name)));
    $('context').addEventListener('change', () => {
      const chosen = about.contexts.find(({ name }) => name === $('context').value);
      scope.context = chosen.name;
      scope.namespace = chosen.namespace ?? '';
      $('namespace').value = scope.namespace;
      refresh();
    });
  }
}

async function begin() {
  try {
    about = await ask('about', {}, new AbortController().signal);
  } catch (error) {
    notices([{ head: error.message, bad: true }]);
    return;
  }
  const [first] = about.contexts;
  scope.context = first?.name ?? '';
  scope.namespace = first?.namespace ?? '';
  fields();
  const numbers = {};
  for (const anchor of document.querySelectorAll('nav a')) {
    anchor.hidden = !about.views.includes(anchor.dataset.view);
    if (anchor.hidden) continue;
    const number = Object.keys(numbers).length + 1;
    numbers[number] = () => page.go(anchor.hash);
    anchor.querySelector('kbd').textContent = String(number);
  }
  listen({
    ...numbers,
    '/': () => $('target').focus(),
    n: () => $('namespace').focus(),
    p: pause,
    '?': () => $('keys').showModal(),
  }, back);
  $('pause').addEventListener('click', pause);
  $('help').addEventListener('click', () => $('keys').showModal());
  $('close').addEventListener('click', () => $('keys').close());
  addEventListener('hashchange', () => {
    page.came = true;
    enter();
  });
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible' && !isPaused) refresh();
  });
  addEventListener('resize', draw);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
  enter();
}

begin();
