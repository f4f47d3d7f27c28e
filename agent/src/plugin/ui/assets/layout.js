// Places for the map's nodes: callers left of callees, and as few crossings as a few sweeps find.

const WIDTH = 190;
const HEIGHT = 46;
const GAP_X = 140;
const GAP_Y = 26;
/** A higher column is broken into several. */
const MAX_COLUMN = 14;
const SWEEPS = 6;

export const SIZE = { width: WIDTH, height: HEIGHT };

/** Edges without those that close a cycle, as lists of callees. */
function acyclic(ids, edges) {
  const callees = new Map(ids.map((id) => [id, []]));
  for (const { from, to } of edges) if (from !== to) callees.get(from)?.push(to);
  const done = new Set();
  const kept = new Map(ids.map((id) => [id, []]));
  for (const start of ids) {
    if (done.has(start)) continue;
    // By hand: a deep chain must not end the stack.
    const path = [[start, 0]];
    const open = new Set([start]);
    while (path.length) {
      const top = path[path.length - 1];
      const next = callees.get(top[0])[top[1]];
      top[1] += 1;
      if (next === undefined) {
        done.add(top[0]);
        open.delete(top[0]);
        path.pop();
      } else if (!open.has(next) && callees.has(next)) {
        kept.get(top[0]).push(next);
        if (!done.has(next)) {
          open.add(next);
          path.push([next, 0]);
        }
      }
    }
  }
  return kept;
}

/** Column of each node: one right of its rightmost caller. */
function columns(ids, callees) {
  const callers = new Map(ids.map((id) => [id, 0]));
  for (const list of callees.values()) for (const to of list) callers.set(to, callers.get(to) + 1);
  const column = new Map(ids.map((id) => [id, 0]));
  const ready = ids.filter((id) => callers.get(id) === 0);
  while (ready.length) {
    const id = ready.shift();
    for (const to of callees.get(id)) {
      column.set(to, Math.max(column.get(to), column.get(id) + 1));
      callers.set(to, callers.get(to) - 1);
      if (callers.get(to) === 0) ready.push(to);
    }
  }
  return column;
}

function ordered(layers, edges) {
  const beside = new Map();
  const add = (a, b) => beside.set(a, [...(beside.get(a) ?? []), b]);
  for (const { from, to } of edges) {
    add(from, to);
    add(to, from);
  }
  const place = new Map();
  const number = (layer) => layer.forEach((id, index) => place.set(id, index - layer.length / 2));
  layers.forEach(number);
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    const all = sweep % 2 ? [...layers].reverse() : layers;
    for (const layer of all) {
      const mean = (id) => {
        const others = (beside.get(id) ?? []).map((other) => place.get(other) ?? 0);
        return others.length ? others.reduce((a, b) => a + b, 0) / others.length : place.get(id);
      };
      const weights = new Map(layer.map((id) => [id, mean(id)]));
      layer.sort((a, b) => weights.get(a) - weights.get(b) || a.localeCompare(b));
      number(layer);
    }
  }
}

/** Left upper corner of each node by id, and the size of all. */
export function layout(nodes, edges) {
  const ids = nodes.map(({ id }) => id).sort();
  const known = new Set(ids);
  const inside = edges.filter(({ from, to }) => known.has(from) && known.has(to));
  const column = columns(ids, acyclic(ids, inside));
  const layers = [];
  for (const id of ids) (layers[column.get(id)] ??= []).push(id);
  ordered(layers, inside);
  const broken = layers.flatMap((layer) => {
    const parts = Math.ceil(layer.length / MAX_COLUMN);
    const size = Math.ceil(layer.length / parts);
    return Array.from({ length: parts }, (_, part) => layer.slice(part * size, (part + 1) * size));
  });
  const highest = Math.max(1, ...broken.map((layer) => layer.length));
  const places = new Map();
  broken.forEach((layer, x) => {
    const top = ((highest - layer.length) * (HEIGHT + GAP_Y)) / 2;
    layer.forEach((id, y) => places.set(id, { x: x * (WIDTH + GAP_X), y: top + y * (HEIGHT + GAP_Y) }));
  });
  const width = broken.length * (WIDTH + GAP_X) - GAP_X;
  return { places, width: Math.max(width, WIDTH), height: highest * (HEIGHT + GAP_Y) - GAP_Y };
}
