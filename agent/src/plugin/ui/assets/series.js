// Figures over the time for which this page has looked at them, and their small charts.

import { el } from './dom.js';
import { clock } from './format.js';

/** Most figures that are kept, and most values of each: a quarter of an hour at one in 2 s. */
const MAX_SERIES = 400;
const MAX_POINTS = 450;
/** A longer pause than this is a gap in the line, s. */
const GAP = 15;
/** Height of a chart, px. */
const HEIGHT = 110;

const all = new Map();

/** Adds a value to the figure of this name. */
export function add(name, at, value, baseline) {
  let one = all.get(name);
  if (!one) {
    if (all.size >= MAX_SERIES) all.delete(all.keys().next().value);
    one = { times: [], values: [], baseline: null };
  } else {
    // The order of a Map is that of insertion: the longest unused one is first.
    all.delete(name);
  }
  all.set(name, one);
  const last = one.times[one.times.length - 1];
  if (last !== undefined && at - last > GAP) {
    one.times.push(last + 1);
    one.values.push(null);
  }
  if (last === undefined || at > last) {
    one.times.push(at);
    one.values.push(Number.isFinite(value) ? value : null);
  }
  one.baseline = Number.isFinite(baseline) ? baseline : null;
  while (one.times.length > MAX_POINTS) {
    one.times.shift();
    one.values.shift();
  }
}

/** Adds a value of the past to a figure that is known. */
export function insert(name, at, value) {
  const one = all.get(name);
  if (!one || !Number.isFinite(value) || one.times.includes(at)) return;
  const place = one.times.findIndex((time) => time > at);
  const index = place < 0 ? one.times.length : place;
  one.times.splice(index, 0, at);
  one.values.splice(index, 0, value);
}

const charts = new Map();

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** The baseline is drawn over the whole chart, the figure since it is known. */
function data({ times, values, baseline }) {
  const first = Math.min(times[0] - 2, times[times.length - 1] - 60);
  // One point makes no line: it is drawn as 2 s.
  const begin = times.length === 1 ? [[first, times[0] - 2], [null, values[0]]] : [[first], [null]];
  const all = [...begin[0], ...times];
  return [all, [...begin[1], ...values], all.map(() => baseline)];
}

function options(format, width, height) {
  const grid = { stroke: colour('--line'), width: 1 };
  const axis = { stroke: colour('--dim'), font: '11px system-ui, sans-serif', grid, ticks: grid };
  return {
    width,
    height,
    legend: { show: false },
    cursor: { show: false },
    select: { show: false },
    scales: {
      x: { time: true },
      y: { range: (_, low, high) => [Math.min(0, low ?? 0), high > 0 ? high * 1.15 : 0.01] },
    },
    axes: [
      { ...axis, size: 30, space: 70, values: (_, marks) => marks.map((mark) => clock(mark * 1000, marks[1] - marks[0] < 60)) },
      { ...axis, size: 62, space: 26, values: (_, marks) => marks.map((mark) => format(mark)) },
    ],
    series: [
      {},
      { stroke: colour('--accent'), width: 1.5, points: { show: false }, spanGaps: false },
      { stroke: colour('--dim'), width: 1, dash: [5, 4], points: { show: false } },
    ],
  };
}

/** The place of a chart of this figure. It is the same one while it stays on the page. */
export function chart(name, format, label) {
  const known = charts.get(name);
  if (known) {
    known.place.setAttribute('aria-label', label);
    return known.place;
  }
  const place = el('div', { class: 'chart', role: 'img', 'aria-label': label });
  charts.set(name, { place, format, plot: null, theme: '', width: 0 });
  return place;
}

/** Draws all charts on the page, and forgets those that left it. */
export function draw() {
  const theme = colour('--line') + colour('--accent');
  for (const [name, one] of charts) {
    if (!one.place.isConnected) {
      one.plot?.destroy();
      charts.delete(name);
      continue;
    }
    const series = all.get(name);
    const width = one.place.clientWidth;
    if (!series || !series.times.length || !width) continue;
    if (!one.plot || one.theme !== theme) {
      one.plot?.destroy();
      one.place.replaceChildren();
      one.plot = new globalThis.uPlot(options(one.format, width, HEIGHT), data(series), one.place);
      Object.assign(one, { theme, width });
      continue;
    }
    if (one.width !== width) {
      one.plot.setSize({ width, height: HEIGHT });
      one.width = width;
    }
    one.plot.setData(data(series));
  }
}
