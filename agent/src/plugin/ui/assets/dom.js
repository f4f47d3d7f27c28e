// Elements from data. Text from outside becomes text nodes and attributes only, never HTML: the page's policy
// (require-trusted-types-for) refuses everything else.

const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;
const LONGEST = 600;

/** A text that a reader can see in full: hidden characters as escapes, and not endless. */
export function clean(value, longest = LONGEST) {
  const text = String(value ?? '');
  const short = text.length > longest ? `${text.slice(0, longest - 1)}…` : text;
  return short.replace(HIDDEN, (c) => `\\u{${c.codePointAt(0).toString(16)}}`);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === 'on') {
      for (const [event, handler] of Object.entries(value)) node.addEventListener(event, handler);
    } else if (name === 'style') {
      for (const [property, setting] of Object.entries(value)) node.style.setProperty(property, setting);
    } else {
      node.setAttribute(name, value === true ? '' : clean(value));
    }
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : clean(child));
  }
  return node;
}

/** An HTML element. `on`: listeners; `style`: properties. */
export function el(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** An SVG element. */
export function svg(tag, attributes, ...children) {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);
}

const shown = new WeakMap();
/** The entry of each group that was used last. Groups are made anew, their names stay. */
const used = new Map();

/** Remembers the entry of a group that was used last. */
export function use(group, entry) {
  used.set(group.dataset.group, entry.dataset.key);
}

/**
 * Puts new content into a place when `data` changed, and keeps focus by `data-key` and a selection of text.
 * `make` returns the nodes.
 */
export function show(place, data, make) {
  const signature = JSON.stringify(data);
  if (shown.get(place) === signature) return false;
  const selection = document.getSelection();
  if (selection && !selection.isCollapsed && place.contains(selection.anchorNode)) return false;
  const active = place.contains(document.activeElement) ? document.activeElement : null;
  const key = active?.dataset?.key;
  const scrolled = [...place.querySelectorAll('.scroll')].map((node) => [node.scrollLeft, node.scrollTop]);
  shown.set(place, signature);
  place.replaceChildren(...[make()].flat(Infinity).filter((node) => node instanceof Node));
  place.querySelectorAll('.scroll').forEach((node, i) => node.scrollTo(...(scrolled[i] ?? [0, 0])));
  rove(place);
  if (active && key) find(place, key)?.focus({ preventScroll: true });
  return true;
}

function find(place, key) {
  return [...place.querySelectorAll('[data-key]')].find((node) => node.dataset.key === key);
}

/** One entry of a group is in the tab order: the one that was last used, else the first. */
function rove(place) {
  for (const group of place.querySelectorAll('[data-group]')) {
    const entries = [...group.querySelectorAll('[data-nav]')];
    const current = entries.find((entry) => entry.dataset.key === used.get(group.dataset.group)) ?? entries[0];
    for (const entry of entries) entry.setAttribute('tabindex', entry === current ? '0' : '-1');
  }
}

/** The attributes of an entry that arrows reach and Enter opens. */
export function entry(key, open) {
  return { 'data-nav': '', 'data-key': key, tabindex: '-1', on: { click: open } };
}
