// The service map: who calls whom, how often, how fast, and where a hint is.

import { clean, el, entry, show, svg } from './dom.js';
import { count, percent, rate, seconds } from './format.js';
import { SIZE, layout } from './layout.js';

/** With more edges than this, only those in trouble and the chosen one have a text. */
const MAX_TEXTS = 30;
/** Kinds that `why` takes as targets. */
const TARGETS = {
  Pod: 'pod', Unit: 'pod', Container: 'pod', Deployment: 'deploy', StatefulSet: 'sts', DaemonSet: 'ds', Job: 'job',
  Service: 'svc', Node: 'node',
};
const WORDS = { hint: 'a hint fires', unusual: 'unusual', unknown: 'not known', well: 'ok' };

const state = { onlyTrouble: false, shape: '', places: null };

/** Asks for the map. */
export async function load(page, _, signal) {
  const map = await page.ask('map', {}, signal);
  return { map, agents: map.agents, silent: map.not_answered };
}

/** What is not on the map. */
export function notices({ map }) {
  const all = [];
  const more = [map.more_nodes ? count(map.more_nodes, 'workload') : '', map.more_edges ? count(map.more_edges, 'edge') : ''];
  if (map.more_nodes || map.more_edges) {
    all.push({ head: `${more.filter(Boolean).join(' and ')} left out: choose a namespace` });
  }
  if (map.unknown.length) {
    all.push({ head: 'Some names are not known', lines: map.unknown.map(({ what, figures }) => `${what}: ${figures}`) });
  }
  return all;
}

/** The address of a node's own page. `null`: it is no target. */
function address(page, node) {
  const kind = TARGETS[node.kind];
  return kind ? page.link(kind === 'node' ? '' : node.namespace, `${kind}/${node.name}`) : null;
}

const requests = (edge) => edge.client ?? edge.server;

/** The higher loss of both directions. */
function loss(edge) {
  const known = [edge.sent.loss, edge.answered.loss].filter((one) => one !== null);
  return known.length ? Math.max(...known) : null;
}

/** Rate and response time of an edge, and loss and failures, as far as they are known. */
function figures(edge) {
  const asked = requests(edge);
  const above = [];
  const below = [];
  if (asked?.per_second != null) above.push(rate(asked.per_second));
  if (asked?.p95_seconds != null) above.push(`p95 ${seconds(asked.p95_seconds)}`);
  else if (edge.min_rtt_seconds !== null) above.push(`RTT ${seconds(edge.min_rtt_seconds)}`);
  if (loss(edge)) below.push(`loss ${percent(loss(edge))}`);
  if (edge.failed_connects) below.push(`${edge.failed_connects} failed`);
  return [above.join(' · '), below.join(' · ')];
}

function sentence(edge, names) {
  const hints = edge.hints.map(({ cause }) => cause).join(', ');
  return [`${names.get(edge.from)} ${edge.directed ? '→' : '–'} ${names.get(edge.to)}`, ...figures(edge),
    hints || [WORDS[edge.state], ...edge.unusual].join(' ')].filter(Boolean).join(': ');
}

/** Only what is in trouble, and the ends of its edges. */
function reduced({ nodes, edges }) {
  if (!state.onlyTrouble) return { nodes, edges };
  const bad = ({ state: one }) => one === 'hint' || one === 'unusual';
  const badNodes = new Set(nodes.filter(bad).map(({ id }) => id));
  const kept = edges.filter((edge) => bad(edge) || badNodes.has(edge.from) || badNodes.has(edge.to));
  const ids = new Set([...badNodes, ...kept.flatMap(({ from, to }) => [from, to])]);
  return { nodes: nodes.filter(({ id }) => ids.has(id)), edges: kept };
}

function curve(from, to) {
  const { width, height } = SIZE;
  const [y1, y2] = [from.y + height / 2, to.y + height / 2];
  if (to.x > from.x) {
    const [x1, x2] = [from.x + width, to.x];
    const bend = Math.max(40, (x2 - x1) / 2);
    return { path: `M${x1},${y1} C${x1 + bend},${y1} ${x2 - bend},${y2} ${x2},${y2}`, x: (x1 + x2) / 2, y: (y1 + y2) / 2 };
  }
  // Back, or within a column: around below.
  const [x1, x2] = [from.x + width, to.x];
  const low = Math.max(from.y, to.y) + height + 22;
  return { path: `M${x1},${y1} C${x1 + 60},${low} ${x2 - 60},${low} ${x2},${y2}`, x: (x1 + x2) / 2, y: (y1 + y2) / 4 + low / 2 };
}

function drawnEdge(edge, places, names, hasText) {
  const { path, x, y } = curve(places.get(edge.from), places.get(edge.to));
  const width = 1 + Math.min(4, Math.log10(1 + (requests(edge)?.per_second ?? 0)));
  const [above, below] = figures(edge);
  const isTold = hasText || edge.state === 'hint';
  const text = (line, dy) => (line && isTold ? svg('text', { x, y: y + dy, 'text-anchor': 'middle' }, line) : null);
  return svg('g', { class: `edge ${edge.state}`, 'data-from': edge.from, 'data-to': edge.to },
    svg('title', {}, sentence(edge, names)),
    svg('path', { class: 'wide', d: path }),
    svg('path', { class: 'line', d: path, 'stroke-width': width.toFixed(1), 'marker-end': edge.directed ? `url(#arrow-${edge.state})` : null }),
    text(edge.state === 'hint' ? `! ${above}` : above, -6), text(below, 15));
}

function short(text, longest) {
  const cleaned = clean(text);
  return cleaned.length > longest ? `${cleaned.slice(0, longest - 1)}…` : cleaned;
}

function drawnNode(page, node, { x, y }) {
  const { width, height } = SIZE;
  const href = address(page, node);
  const server = node.server?.per_second != null ? rate(node.server.per_second) : '';
  const below = [node.kind, node.pods > 1 ? count(node.pods, 'Pod') : '', server].filter(Boolean).join(' · ');
  const hints = node.hints.map(({ cause, blamed }) => (blamed ? `blamed: ${cause}` : cause)).join(', ');
  const label = `${node.namespace ? `${node.namespace}/` : ''}${node.name}, ${below}, ${hints || WORDS[node.state]}`;
  const { on, ...nav } = entry(`node:${node.id}`, href ? () => page.go(href) : () => {});
  const follow = () => highlight(node.id);
  return svg('g', {
    ...nav, role: href ? 'link' : 'img', class: `node ${node.state}`, transform: `translate(${x},${y})`, 'aria-label': label,
    on: { ...on, focus: follow, mouseenter: follow, blur: () => highlight(null), mouseleave: () => highlight(null) },
  },
  svg('title', {}, label),
  svg('rect', { width, height, rx: 7 }),
  svg('text', { x: 10, y: 19, class: 'name' }, (node.state === 'hint' ? '! ' : '') + short(node.name, 26)),
  svg('text', { x: 10, y: 36, class: 'kind' }, short(hints || below, 32)));
}

/** Marks the edges of a node. */
function highlight(id) {
  for (const edge of document.querySelectorAll('svg.map .edge')) {
    const { from, to } = edge.dataset;
    edge.classList.toggle('chosen', id !== null && (from === clean(id) || to === clean(id)));
  }
}

function arrows() {
  return svg('defs', {}, ['hint', 'unusual', 'unknown', 'well'].map((kind) => svg('marker', {
    id: `arrow-${kind}`, class: `arrow ${kind}`, viewBox: '0 0 8 8', refX: 8, refY: 4, markerWidth: 9, markerHeight: 9,
    markerUnits: 'userSpaceOnUse', orient: 'auto',
  }, svg('path', { d: 'M0,0 L8,4 L0,8 z' }))));
}

function drawing(page, { nodes, edges }, names) {
  const shape = JSON.stringify([nodes.map(({ id }) => id).sort(), edges.map(({ from, to }) => `${from}|${to}`).sort()]);
  // Nodes keep their places while the same are there.
  if (state.shape !== shape) Object.assign(state, { shape, places: layout(nodes, edges) });
  const { places, width, height } = state.places;
  const pad = 30;
  const rank = ['unknown', 'well', 'unusual', 'hint'];
  const sorted = [...edges].filter(({ from, to }) => places.has(from) && places.has(to))
    .sort((a, b) => rank.indexOf(a.state) - rank.indexOf(b.state));
  return el('div', { class: 'scroll' }, svg('svg', {
    class: 'map', 'data-group': 'map', role: 'group', 'aria-label': 'Service map', width: width + 2 * pad, height: height + 2 * pad + 20,
    viewBox: `${-pad} ${-pad} ${width + 2 * pad} ${height + 2 * pad + 20}`,
  }, arrows(), sorted.map((edge) => drawnEdge(edge, places, names, edges.length <= MAX_TEXTS)),
  nodes.map((node) => drawnNode(page, node, places.get(node.id)))));
}

function compared(now, normal) {
  if (now == null) return '–';
  return normal == null ? seconds(now) : `${seconds(now)} (normally ${seconds(normal)})`;
}

function table(page, edges, nodes, names) {
  const columns = ['from', 'to', 'rate', 'median', 'p95', 'errors', 'loss →', 'loss ←', 'RTT', 'connects', 'state'];
  const by = new Map(nodes.map((node) => [node.id, node]));
  return el('div', { class: 'scroll' }, el('table', { class: 'plain', 'data-group': 'edges' },
    el('thead', {}, el('tr', {}, columns.map((name) => el('th', { scope: 'col' }, name)))),
    el('tbody', {}, edges.map((edge) => {
      const asked = requests(edge);
      const end = (id, side) => {
        const href = by.has(id) ? address(page, by.get(id)) : null;
        const { on, ...nav } = entry(`${side}:${edge.from}|${edge.to}`);
        return el('td', {}, href ? el('a', { ...nav, href }, names.get(id)) : names.get(id));
      };
      const told = edge.hints.map(({ cause, confidence }) => `${cause} ${percent(confidence)}`).join(', ');
      const failed = edge.failed_connects ? `, ${edge.failed_connects} failed` : '';
      return el('tr', { class: edge.state, title: edge.hints[0]?.summary ?? null }, end(edge.from, 'from'), end(edge.to, 'to'),
        el('td', {}, asked?.per_second == null ? '–' : rate(asked.per_second)),
        el('td', {}, compared(asked?.p50_seconds, asked?.normal_p50_seconds)),
        el('td', {}, compared(asked?.p95_seconds, asked?.normal_p95_seconds)),
        el('td', {}, asked?.error_share == null ? '–' : percent(asked.error_share)),
        el('td', {}, edge.sent.loss === null ? '–' : percent(edge.sent.loss)),
        el('td', {}, edge.answered.loss === null ? '–' : percent(edge.answered.loss)),
        el('td', {}, edge.min_rtt_seconds === null ? '–' : seconds(edge.min_rtt_seconds)),
        el('td', {}, `${edge.connects}${failed}`),
        el('td', {}, told || [WORDS[edge.state], ...edge.unusual].join(' ')));
    }))));
}

/** Shows the map, and the same as a table. */
export function draw(place, { map }, page) {
  const shown = reduced(map);
  const label = ({ kind, namespace, name }) => (namespace && namespace !== map.namespace ? `${namespace}/${name}` : name) || kind;
  const names = new Map(map.nodes.map((node) => [node.id, label(node)]));
  page.suggest('namespaces', map.nodes.map(({ namespace }) => namespace));
  page.suggest('targets', map.nodes.filter(({ kind }) => TARGETS[kind])
    .map(({ kind, namespace, name }) => [kind === 'Node' ? '' : namespace, TARGETS[kind], name].filter(Boolean).join('/')));
  const bad = shown.edges.filter((edge) => edge.state === 'hint').length;
  show(place, [shown, state.onlyTrouble], () => [
    el('div', { class: 'head' }, el('h2', {}, `${count(map.nodes.length, 'workload')}, ${count(map.edges.length, 'edge')}${bad ? `, ${bad} with a hint` : ''}`),
      el('label', {}, el('input', {
        type: 'checkbox', 'data-key': 'only', checked: state.onlyTrouble,
        on: { change: (event) => { state.onlyTrouble = event.target.checked; page.refresh(); } },
      }), ' only trouble')),
    shown.nodes.length ? [drawing(page, shown, names), table(page, shown.edges, map.nodes, names)]
      : el('p', { class: 'empty' }, state.onlyTrouble ? 'Nothing is in trouble.' : 'No traffic in the window.'),
  ]);
}
