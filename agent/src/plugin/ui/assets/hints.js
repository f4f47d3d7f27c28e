// All hints: those that fire now first, and when each fired in the last hours.

import { el, entry, show } from './dom.js';
import { age, clock, count, percent } from './format.js';

/** Most rows. */
const MAX_ROWS = 200;
/** The timeline is asked for this often, ms: agents read their history for it. */
const AGAIN = 20000;
const CHOICES = [1, 6, 24];

/** The first list waits so long for the timeline, ms. */
const PATIENCE = 1000;
const EMPTY = { items: [], missing: [], unrecorded: null, left_off: 0, not_answered: [] };

const state = { hours: 6, key: '', asked: 0, pending: null, stop: null, timeline: null, failure: '' };

/** Reads the past beside the polls: a replay may take an agent many seconds. */
function read(page) {
  const key = `${page.scope.context}|${page.scope.namespace}|${state.hours}`;
  if (state.key !== key) {
    state.stop?.abort();
    Object.assign(state, { key, asked: 0, pending: null, timeline: null });
  }
  if (state.pending || Date.now() - state.asked < AGAIN) return;
  state.stop = new AbortController();
  const asked = page.ask('timeline', { hours: String(state.hours) }, state.stop.signal);
  state.pending = asked.then(
    (timeline) => { if (state.key === key) Object.assign(state, { timeline, failure: '' }); },
    (error) => { if (state.key === key && error.name !== 'AbortError') state.failure = error.message; },
  ).finally(() => {
    if (state.key === key) Object.assign(state, { pending: null, asked: Date.now() });
  });
}

/** Asks for the firing hints, and from time to time for the timeline. */
export async function load(page, _, signal) {
  read(page);
  const now = await page.ask('hints', {}, signal);
  if (!state.timeline && state.pending) {
    await Promise.race([state.pending, new Promise((done) => { setTimeout(done, PATIENCE); })]);
  }
  const timeline = state.timeline ?? EMPTY;
  const rows = grouped(now.items, timeline.items);
  return { rows, timeline, now: Date.now(), agents: now.agents, silent: now.not_answered };
}

/** What is missing in the timeline. */
export function notices({ timeline }) {
  const all = [];
  if (state.failure) all.push({ head: 'The past can\'t be read', lines: [state.failure] });
  if (!state.timeline && state.pending) all.push({ head: 'Reading the past …' });
  if (timeline.unrecorded) all.push({ head: 'Only the last hour is known', lines: [timeline.unrecorded] });
  if (timeline.missing.length) {
    const lines = timeline.missing.map(({ node, from, to, why }) => `${node} from ${from} to ${to}: ${why}`);
    all.push({ head: `${count(timeline.missing.length, 'time')} without a record`, lines });
  }
  if (timeline.left_off) all.push({ head: `${count(timeline.left_off, 'older hint')} left off` });
  return all;
}

const name = ({ id, subject }) => `${id}|${subject.namespace}|${subject.name}|${subject.node}`;

/** One row per subject and cause, with each time that it fired. */
function grouped(firing, past) {
  const rows = new Map();
  const add = (hint, isFiring) => {
    const key = name(hint);
    const row = rows.get(key) ?? { key, hint, isFiring, times: [] };
    rows.set(key, row);
    if (hint.last_seen > row.hint.last_seen && !row.isFiring) row.hint = hint;
    if (!row.times.some((time) => time.from === hint.first_seen)) {
      row.times.push({ from: hint.first_seen, to: hint.last_seen, isFiring });
    }
  };
  for (const hint of firing) add(hint, true);
  // A hint of the past that fires no more has ended since it was asked for.
  for (const hint of past) add(hint, false);
  return [...rows.values()].sort((a, b) => Number(b.isFiring) - Number(a.isFiring)
    || (a.isFiring ? b.hint.confidence - a.hint.confidence : b.hint.last_seen.localeCompare(a.hint.last_seen))
    || a.key.localeCompare(b.key));
}

/** The target of a subject, as `why` takes it. A place that no request can name is left to the agents. */
export function target(subject) {
  const namespace = /^[\w.@:/-]*$/.test(subject.namespace) ? subject.namespace : '*';
  if (subject.kind === 'Node') return ['', `node/${subject.name}`];
  if (subject.kind === 'Workload') return [namespace, subject.workload || subject.name];
  return [namespace, `pod/${subject.name}`];
}

/** Who is at fault, in a few words. */
export function blamed(blame) {
  if (blame.kind === 'none') return 'nobody named';
  if (blame.kind === 'undecided') {
    const list = (blame.alternatives ?? []).slice(0, 3).map(one);
    return list.length ? `one of ${list.join(', ')}` : 'undecided';
  }
  return one(blame);
}

function one({ kind, name: who, probability }) {
  const sure = probability > 0 ? ` ${percent(probability)}` : '';
  return `${kind.replaceAll('_', ' ')} ${who}${sure}`;
}

function track(row, from, to, missing) {
  const place = (at) => Math.min(100, Math.max(0, ((at - from) / (to - from)) * 100));
  const bar = (begin, end, kind, title) => {
    const left = place(begin);
    const width = Math.max(0.4, place(end) - left);
    return el('span', { class: `bar ${kind}`, style: { left: `${left}%`, width: `${width}%` }, title });
  };
  const gaps = missing
    .filter(({ node }) => node === row.hint.subject.node)
    .map((gap) => bar(Date.parse(gap.from), Date.parse(gap.to), 'gap', `no record: ${gap.why}`));
  const times = row.times.filter((time) => time.isFiring || Date.parse(time.to) >= from).map((time) => {
    const end = time.isFiring ? to : Date.parse(time.to);
    const begin = Date.parse(time.from);
    return bar(begin, end, time.isFiring ? 'firing' : 'over', `${clock(begin, true)} – ${time.isFiring ? 'now' : clock(end, true)}`);
  });
  return el('span', { class: 'track' }, gaps, times);
}

function line(page, row, from, to, { missing, unrecorded }) {
  const { hint, isFiring } = row;
  const [namespace, who] = target(hint.subject);
  // A hint that is over is explained as it was then, where agents record.
  const at = isFiring || unrecorded || to - Date.parse(hint.last_seen) < 60000 ? '' : hint.last_seen;
  const where = [hint.subject.namespace, hint.subject.name].filter(Boolean).join('/');
  const since = isFiring ? `for ${age(to - Date.parse(hint.first_seen))}` : `${age(to - Date.parse(hint.last_seen))} ago`;
  const { on, ...nav } = entry(row.key);
  return el('li', {}, el('a', { ...nav, href: page.link(namespace, who, at), class: isFiring ? 'row firing' : 'row over' },
    el('span', { class: 'sure', title: 'probability that cause and culprit are right' },
      isFiring ? el('b', {}, percent(hint.confidence)) : 'over'),
    el('span', { class: 'what' },
      el('span', { class: 'cause' }, hint.cause), ' ', el('span', { class: 'who' }, where),
      el('span', { class: 'summary' }, hint.summary)),
    el('span', { class: 'blame' }, blamed(hint.blame)),
    el('span', { class: 'since' }, since),
    track(row, from, to, missing)));
}

function axis(from, to) {
  const step = [300, 600, 900, 1800, 3600, 7200, 14400].find((s) => (to - from) / 1000 / s <= 8) * 1000;
  const marks = [];
  for (let at = Math.ceil(from / step) * step; at < to; at += step) {
    marks.push(el('span', { class: 'mark', style: { left: `${((at - from) / (to - from)) * 100}%` } }, clock(at)));
  }
  return el('span', { class: 'track axis', 'aria-hidden': 'true' }, marks);
}

function choices(page) {
  return el('fieldset', { class: 'choices' }, el('legend', { class: 'hidden' }, 'Time that is shown'),
    CHOICES.map((hours) => el('button', {
      type: 'button',
      'data-key': `hours-${hours}`,
      'aria-pressed': String(hours === state.hours),
      on: { click: () => { state.hours = hours; page.refresh(); } },
    }, `${hours} h`)));
}

/** Shows the list. */
export function draw(place, data, page) {
  const { rows, timeline, now, agents } = data;
  const from = now - state.hours * 3600000;
  const shown = rows.slice(0, MAX_ROWS);
  const firing = rows.filter((row) => row.isFiring).length;
  page.suggest('namespaces', rows.map(({ hint }) => hint.subject.namespace));
  page.suggest('targets', rows.map(({ hint }) => target(hint.subject).filter(Boolean).join('/')));
  // Ages and bars move on: to the second would cost more than it tells.
  const moment = Math.floor(now / 10000);
  show(place, [shown.map(({ hint, times }) => [hint, times]), timeline.missing, state.hours, moment, rows.length], () => [
    el('div', { class: 'head' }, el('h2', {}, firing ? `${count(firing, 'hint')} now` : 'No hints now'), choices(page)),
    firing ? null : el('p', { class: 'dim' }, `${count(agents, 'agent')} found nothing wrong. Missing data is never healthy: see what did not answer.`),
    el('div', { class: 'row top', 'aria-hidden': 'true' },
      el('span', { class: 'sure' }, 'sure'), el('span', { class: 'what' }, 'cause and who suffers'),
      el('span', { class: 'blame' }, 'at fault'), el('span', { class: 'since' }, 'since'), axis(from, now)),
    el('ul', { class: 'rows', 'data-group': 'hints', 'aria-label': 'Hints' },
      shown.map((row) => line(page, row, from, now, timeline))),
    rows.length > shown.length ? el('p', { class: 'dim' }, `${rows.length - shown.length} more are not shown: choose a namespace`) : null,
  ]);
}
