// The page of one target: verdict, where the time goes, evidence over time, chain, what changed, how its Node differs.

import { el, entry, show } from './dom.js';
import { age, count, mark, number, percent, seconds, value } from './format.js';
import { blamed, target as targetOf } from './hints.js';
import { add, chart, draw as drawCharts, insert } from './series.js';
import { waterfall } from './waterfall.js';

const STATES = { cause_found: 'bad', resolved: 'over', nothing_found: 'well', no_data: 'unknown' };
const HEADS = { cause_found: 'Cause found', resolved: 'Over now', nothing_found: 'No cause found', no_data: 'No data' };
const MAX_LINES = 60;

/** Asks about the target of the address. */
export async function load(page, { parts: [namespace, target], at }, signal) {
  const why = await page.ask('why', { namespace: namespace || page.scope.namespace || '*', target: target ?? '', at }, signal);
  return { why, now: at ? Date.parse(at) : Date.now(), silent: why.not_answered };
}

/** Moments of the past that are read on request, and the time between them, s. Each is a replay for the agents. */
const MOMENTS = 10;
const EVERY = 90;

const past = { stop: null, text: '' };

/** A page is left: its past is not needed any more. */
export function leave() {
  past.stop?.abort();
  Object.assign(past, { stop: null, text: '' });
}

/** Reads the last minutes from the flight recorders, the newest first. */
async function readPast(page, namespace, target, owner) {
  if (past.stop) return;
  past.stop = new AbortController();
  const { signal } = past.stop;
  const tell = (text) => {
    if (signal.aborted) return;
    past.text = text;
    page.refresh();
  };
  const now = Date.now();
  for (let i = 1; i <= MOMENTS; i += 1) {
    const at = now - i * EVERY * 1000;
    tell(`reading ${i} of ${MOMENTS} …`);
    try {
      const then = await page.ask('why', { namespace, target, at: new Date(at).toISOString() }, signal);
      for (const one of figures(then, owner)) insert(one.name, Math.round(at / 1000), one.now);
      drawCharts();
    } catch (error) {
      tell(`not further back: ${error.message}`);
      return;
    }
  }
  tell(`a point each ${EVERY} s from the flight recorders`);
}

const figure = ({ kind, namespace, name }, title) => `${kind}|${namespace}|${name}|${title}`;

/** The figures that are drawn over time: those of the evidence, and those that every Pod has. `owner`: whose they are. */
function figures(why, owner = why) {
  const all = why.evidence.map((one) => ({
    name: figure(owner, `${one.signal}|${one.where}`), title: one.signal, where: one.where, source: one.source,
    now: one.observed, usual: one.baseline, format: (n) => value(n, one.unit), mark: (n) => mark(n, one.unit),
  }));
  const [pod] = why.pods;
  if (pod && why.pods.length === 1) {
    const add_ = (title, now, format) => {
      if (now !== null) all.push({ name: figure(owner, title), title, where: pod.node, now, usual: null, format });
    };
    add_('median RTT', pod.rtt_p50_seconds, seconds);
    add_('loss per segment', pod.loss, percent);
    add_('CPU periods throttled', pod.throttled, percent);
  }
  for (const row of why.waterfall.rows.filter(({ depth }) => depth < 2).slice(0, 4)) {
    if (row.now.p50_seconds === null) continue;
    const title = row.role === 'server' ? 'response time, median' : `response time of ${row.callee}, median`;
    all.push({
      name: figure(owner, `p50|${row.pod}|${row.role}|${row.callee}`), title, where: row.pod, now: row.now.p50_seconds,
      usual: row.normally?.p50_seconds ?? null, format: seconds,
    });
  }
  const seen = new Set();
  return all.filter(({ name }) => !seen.has(name) && seen.add(name)).slice(0, 16);
}

function verdict({ verdict: one, next_step: next }, now) {
  const facts = [
    one.cause,
    one.confidence === null ? '' : `${percent(one.confidence)} sure`,
    one.blame ? `at fault: ${blamed(one.blame)}` : '',
    one.since ? `for ${age((one.until ? Date.parse(one.until) : now) - Date.parse(one.since))}` : '',
    one.said_by ? `reported by ${one.said_by}` : '',
  ];
  return el('section', { class: `verdict ${STATES[one.state] ?? 'unknown'}`, 'aria-label': 'Verdict' },
    el('p', { class: 'state' }, HEADS[one.state] ?? one.state),
    el('p', { class: 'sentence' }, one.sentence),
    el('p', { class: 'dim' }, facts.filter(Boolean).join(' · ')),
    next ? el('p', {}, el('b', {}, 'Next step: '), next) : null);
}

function evidence(all, hasChart, read) {
  if (!all.length) return null;
  const button = el('button', { type: 'button', 'data-key': 'past', disabled: past.stop !== null, on: { click: read } }, `Last ${(MOMENTS * EVERY) / 60} minutes`);
  return section('evidence', 'Evidence', hasChart ? el('p', { class: 'dim past-line' }, button, ` ${past.text || 'Drawn since this page is open.'}`) : null, el('div', { class: 'cards' }, all.map((one) => el('figure', { class: 'card' },
    el('figcaption', {}, el('b', {}, one.title), el('span', { class: 'dim' }, ` ${one.where}`)),
    el('p', { class: 'figures' }, el('b', {}, one.format(one.now)),
      el('span', { class: 'dim' }, one.usual === null ? ' no baseline' : ` baseline ${one.format(one.usual)}`)),
    hasChart ? chart(one.name, one.mark ?? one.format, `${one.title} since this page is open; the baseline is dashed`) : null))));
}

function section(id, title, ...content) {
  return el('section', { id, tabindex: '0', 'data-key': `section:${id}`, 'aria-labelledby': `${id}-title` }, el('h3', { id: `${id}-title` }, title), content);
}

function chain(links) {
  if (!links.length) return null;
  return section('chain', 'Chain', el('ol', { class: 'chain' },
    links.map(({ what, who }) => el('li', {}, el('b', {}, what), el('span', { class: 'dim' }, ` ${who}`)))));
}

function ruledOut(list) {
  if (!list.length) return null;
  return section('ruled-out', 'Ruled out', el('dl', {}, list.map(({ cause, because }) => [el('dt', {}, cause), el('dd', {}, because)])));
}

/** What changed before it began. Commands without this field have none. */
function changed(report, now) {
  if (!report) return null;
  const items = report.items ?? [];
  const when = (item) => (item.seconds_before < 0 ? `noted ${-item.seconds_before} s after` : `${age(item.seconds_before * 1000)} before`);
  return section('changed', 'Changed before',
    items.length ? el('table', { class: 'plain' }, el('tbody', {}, items.slice(0, MAX_LINES).map((item) => el('tr', {},
      el('td', { class: 'dim', title: item.at }, when(item)),
      el('td', {}, String(item.near ?? '').replaceAll('_', ' ')),
      el('td', {}, el('b', {}, [item.namespace, item.object].filter(Boolean).join('/')), ` ${item.what}`)))))
      : el('p', { class: 'dim' }, `Nothing between ${report.from} and ${report.until ?? new Date(now).toISOString()}.`),
    report.left_off ? el('p', { class: 'dim' }, `${count(report.left_off, 'more change')}`) : null,
    facts(report.unknown ?? []));
}

function differs(report) {
  if (!report) return null;
  const shown = (item, one) => (one === null ? 'none' : item.unit ? `${one} ${item.unit}` : one);
  const sentence = (item) => (item.unit ? `the others have ${shown(item, item.usual)}`
    : `${item.same} of ${item.compared} ${item.same === 1 ? 'has' : 'have'} this, ${item.usual_on} ${item.usual_on === 1 ? 'has' : 'have'} ${shown(item, item.usual)}`);
  return section('differs', `How ${report.node} differs from ${count(report.well, 'Node that is well', 'Nodes that are well')}`,
    report.items.length ? el('table', { class: 'plain' }, el('tbody', {}, report.items.slice(0, MAX_LINES).map((item) => el('tr', {},
      el('th', { scope: 'row' }, item.on ? `${item.fact} on ${item.on}` : item.fact),
      el('td', {}, shown(item, item.value)), el('td', { class: 'dim' }, sentence(item))))))
      : el('p', { class: 'dim' }, 'In no compared fact.'),
    facts(report.unknown));
}

function facts(list) {
  if (!list?.length) return null;
  return el('dl', { class: 'facts' }, list.slice(0, MAX_LINES).map(({ what, figures: text }) => [el('dt', {}, what), el('dd', {}, text)]));
}

function health(why) {
  const groups = [['Unusual', why.odd], ['Normal', why.well], ['No data', why.no_data], ['Unknown', why.unknown]];
  const shown = groups.filter(([, list]) => list.length);
  if (!shown.length) return null;
  return section('health', 'Measurements', el('div', { class: 'columns' },
    shown.map(([title, list]) => el('div', { class: title.toLowerCase().replace(' ', '-') }, el('h4', {}, title), facts(list)))));
}

function pods(page, why) {
  if (why.pods.length < 2 && why.kind === 'Pod') return null;
  if (!why.pods.length) return null;
  return section('pods', count(why.pods.length, 'Pod'), el('table', { class: 'plain', 'data-group': 'pods' },
    el('thead', {}, el('tr', {}, ['Pod', 'Node', 'status', 'hint', 'median RTT', 'loss'].map((name) => el('th', { scope: 'col' }, name)))),
    el('tbody', {}, why.pods.slice(0, 200).map((pod) => {
      const { on, ...nav } = entry(`pod:${pod.namespace}/${pod.name}`);
      return el('tr', { class: pod.cause ? 'bad' : null },
        el('th', { scope: 'row' }, el('a', { ...nav, href: page.link(pod.namespace, `pod/${pod.name}`) }, pod.name)),
        el('td', {}, pod.node), el('td', {}, pod.status), el('td', {}, pod.cause || (pod.measured ? '' : 'not measured')),
        el('td', {}, pod.rtt_p50_seconds === null ? '–' : seconds(pod.rtt_p50_seconds)),
        el('td', {}, pod.loss === null ? '–' : percent(pod.loss)));
    }))));
}

function also(page, hints) {
  if (!hints.length) return null;
  return section('also', 'Also', el('ul', { 'data-group': 'also' }, hints.slice(0, MAX_LINES).map((hint) => {
    const [namespace, target] = targetOf(hint.subject);
    const { on, ...nav } = entry(`also:${hint.id}`);
    return el('li', {}, el('a', { ...nav, href: page.link(namespace, target) }, `${hint.cause} (${percent(hint.confidence)})`), ` ${hint.summary}`);
  })));
}

function queries(list) {
  if (!list.length) return null;
  return section('promql', 'The same in Prometheus', el('dl', { class: 'queries' },
    list.map(({ shows, query }) => [el('dt', {}, shows), el('dd', {}, el('code', {}, query))])));
}

function title(page, why, at) {
  const nodes = why.nodes.map((node, i) => {
    const { on, ...nav } = entry(`node:${node}`);
    return [i ? ', ' : '', why.kind === 'Node' ? '' : el('a', { ...nav, href: page.link('', `node/${node}`) }, node)];
  });
  return el('div', { class: 'head', 'data-group': 'title' }, el('h2', {}, `${why.kind} ${[why.namespace, why.name].filter(Boolean).join('/')}`,
    why.kind === 'Node' || !why.nodes.length ? null : [' on ', nodes]),
  why.workload ? el('span', { class: 'dim' }, why.workload) : null,
  at ? el('span', { class: 'past' }, `as it was at ${why.at ?? at} · `, el('a', { href: location.hash.split('?')[0] }, 'now')) : null);
}

/** Shows the page. */
export function draw(place, { why, now }, page, { at, parts: [namespace, target] }) {
  const all = figures(why);
  const read = () => readPast(page, namespace || page.scope.namespace || '*', target, why);
  if (!at) for (const one of all) add(one.name, Math.round(now / 1000), one.now, one.usual);
  show(place, [why, at, all.map(({ now: n }) => number(n)), Math.floor(now / 10000), past.text], () => [
    title(page, why, at), verdict(why, now), waterfall(why.waterfall), evidence(all, !at, read), chain(why.chain), ruledOut(why.ruled_out),
    changed(why.changed, now), differs(why.differs), pods(page, why), health(why), also(page, why.also),
    why.events.length ? section('events', 'Events', facts(why.events)) : null,
    why.around.length ? section('around', 'Around it', facts(why.around)) : null,
    queries(why.promql),
  ]);
}
