// RTT and loss between Nodes as a heat map, and who is blamed.

import { el, entry, show } from './dom.js';
import { count, percent, seconds } from './format.js';

/** Most Nodes in the matrix: those with most loss come first. */
const MAX_NODES = 80;
const LOSS = [0, 0.0005, 0.005, 0.02, 0.05];
/** Multiples of the median of all pairs. */
const RTT = [1.5, 2, 4, 8, 16];

const state = { figure: 'loss', detail: '' };

/** Asks for pairs, Nodes and hints. */
export async function load(page, _, signal) {
  const [matrix, nodes, hints] = await Promise.all([
    page.ask('matrix', { namespace: '*' }, signal),
    page.ask('nodes', { namespace: '*' }, signal),
    page.ask('hints', { namespace: '*' }, signal),
  ]);
  return { matrix, nodes, hints: hints.items, agents: matrix.agents, silent: matrix.not_answered };
}

/** What a figure is, from 0 (well) to 5. `null`: not measured. */
export function heat(pair, figure, median) {
  if (!pair) return null;
  if (figure === 'loss') {
    if (pair.loss === null) return null;
    return LOSS.findLastIndex((limit) => pair.loss > limit) + 1;
  }
  if (pair.min_rtt_seconds === null || !median) return null;
  return RTT.findLastIndex((limit) => pair.min_rtt_seconds > limit * median) + 1;
}

function sentence(pair, from, to) {
  if (!pair) return `${from} → ${to}: no traffic in the window`;
  const loss = pair.loss === null ? `too few segments for a loss ratio (${pair.segments})`
    : `loss ${percent(pair.loss)} (${count(pair.episodes, 'episode')} in ${pair.segments} segments)`;
  const rtt = pair.min_rtt_seconds === null ? 'no RTT sample'
    : `RTT lowest ${seconds(pair.min_rtt_seconds)}, median ${seconds(pair.rtt_p50_seconds)}`;
  return `${from} → ${to}: ${loss}; ${rtt}`;
}

/** Nodes and pairs that firing hints blame. */
function blamed(hints) {
  const nodes = new Set();
  const pairs = new Set();
  for (const { blame } of hints) {
    if (blame.kind === 'node' || blame.kind === 'peer_node') nodes.add(blame.name);
    if (blame.kind === 'node_pair') {
      const [a, b] = blame.name.split('↔').map((name) => name.trim());
      pairs.add(`${a}|${b}`).add(`${b}|${a}`);
    }
  }
  return { nodes, pairs };
}

function tell(text) {
  state.detail = text;
  const line = document.getElementById('pair');
  if (line) line.textContent = text;
}

function cell(page, pair, from, to, median, marks) {
  if (from === to) return el('td', { class: 'self' });
  const level = heat(pair, state.figure, median);
  const value = state.figure === 'loss' ? pair?.loss : pair?.min_rtt_seconds;
  const text = level === null ? (pair ? '?' : '') : (state.figure === 'loss' ? percent(value) : seconds(value));
  const isHinted = marks.pairs.has(`${from}|${to}`);
  const about = sentence(pair, from, to);
  const { on, ...nav } = entry(`${from}→${to}`, () => page.go(page.link('', `node/${to}`)));
  const told = () => tell(about);
  return el('td', {
    ...nav, role: 'gridcell', class: `cell heat${level ?? '-none'}${isHinted ? ' hinted' : ''}`, 'aria-label': about,
    on: { ...on, focus: told, mouseenter: told },
  }, text, isHinted ? ' !' : '');
}

function head(page, name, marks, scope) {
  const isHinted = marks.nodes.has(name);
  const { on, ...nav } = entry(`${scope}:${name}`);
  return el('th', { scope, class: isHinted ? 'hinted' : null },
    el('a', { ...nav, href: page.link('', `node/${name}`) }, name, isHinted ? ' !' : ''));
}

function table(page, matrix, marks) {
  const names = matrix.nodes.slice(0, MAX_NODES);
  const pairs = new Map(matrix.pairs.map((pair) => [`${pair.from}|${pair.to}`, pair]));
  const all = matrix.pairs.map((pair) => pair.min_rtt_seconds).filter((rtt) => rtt !== null).sort((a, b) => a - b);
  const median = all[Math.floor(all.length / 2)];
  return el('div', { class: 'scroll' }, el('table', { class: 'matrix', role: 'grid', 'data-group': 'matrix', 'aria-label': 'From row to column' },
    el('thead', {}, el('tr', {}, el('td', { class: 'corner' }, 'from ↓ to →'), names.map((name) => head(page, name, marks, 'col')))),
    el('tbody', {}, names.map((from) => el('tr', {}, head(page, from, marks, 'row'),
      names.map((to) => cell(page, pairs.get(`${from}|${to}`), from, to, median, marks)))))));
}

function scale() {
  const texts = state.figure === 'loss'
    ? ['0 %', '> 0', '> 0.05 %', '> 0.5 %', '> 2 %', '> 5 %']
    : ['≤ 1.5 ×', '> 1.5 ×', '> 2 ×', '> 4 ×', '> 8 ×', '> 16 × the median'];
  return el('p', { class: 'scale', 'aria-label': 'Scale' }, texts.map((text, level) => el('span', { class: `cell heat${level}` }, text)),
    el('span', { class: 'cell hinted' }, '! a hint blames it'));
}

function list(page, items) {
  const worst = items.slice(0, MAX_NODES);
  return el('table', { class: 'plain', 'data-group': 'blame' },
    el('thead', {}, el('tr', {}, ['Node', 'blame', 'hints blame it', 'loss to others', 'loss from others', 'hints of its Pods'].map((name) => el('th', {}, name)))),
    el('tbody', {}, worst.map((node) => {
      const { on, ...nav } = entry(`blame:${node.node}`);
      const ratio = ({ segments, episodes }) => (segments >= 200 ? percent(episodes / segments) : '–');
      const isBad = node.blamed_by > 0 || node.blame >= 0.9;
      return el('tr', { class: isBad ? 'bad' : null },
        el('th', { scope: 'row' }, el('a', { ...nav, href: page.link('', `node/${node.node}`) }, node.node), node.answered ? '' : ' (no agent answered)'),
        el('td', {}, node.blame === null ? '–' : percent(node.blame)), el('td', {}, node.blamed_by),
        el('td', {}, ratio(node.out)), el('td', {}, ratio(node.into)), el('td', {}, node.hints));
    })));
}

/** Shows the matrix and the list. */
export function draw(place, { matrix, nodes, hints }, page) {
  const marks = blamed(hints);
  page.suggest('targets', matrix.nodes.map((name) => `node/${name}`));
  const choice = (figure, text) => el('button', {
    type: 'button', 'data-key': `figure-${figure}`, 'aria-pressed': String(state.figure === figure),
    on: { click: () => { state.figure = figure; page.refresh(); } },
  }, text);
  show(place, [matrix, nodes, [...marks.nodes], [...marks.pairs], state.figure], () => [
    el('div', { class: 'head' }, el('h2', {}, 'Between Nodes'),
      el('fieldset', { class: 'choices' }, el('legend', { class: 'hidden' }, 'Figure'), choice('loss', 'Loss'), choice('rtt', 'RTT'))),
    matrix.nodes.length ? [table(page, matrix, marks), scale()]
      : el('p', { class: 'empty' }, 'No traffic between Nodes in the window.'),
    matrix.nodes.length > MAX_NODES ? el('p', { class: 'dim' }, `${matrix.nodes.length - MAX_NODES} Nodes with less loss are not shown`) : null,
    el('p', { id: 'pair', class: 'detail', 'aria-live': 'polite' }, state.detail || 'Choose a cell for its figures.'),
    el('h2', {}, 'Nodes by blame'), list(page, nodes.items),
  ]);
}
