// The keyboard: arrows move within a group, Enter opens, Esc goes back, and letters choose.

import { use } from './dom.js';

const STEPS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };

function center(node) {
  const box = node.getBoundingClientRect();
  return [box.left + box.width / 2, box.top + box.height / 2];
}

/** The nearest entry in a direction: those straight ahead come before those aside. */
function nearest(from, entries, [dx, dy]) {
  const [x, y] = center(from);
  let best = null;
  let least = Infinity;
  for (const entry of entries) {
    if (entry === from) continue;
    const [ex, ey] = center(entry);
    const ahead = (ex - x) * dx + (ey - y) * dy;
    const aside = Math.abs((ex - x) * dy) + Math.abs((ey - y) * dx);
    if (ahead <= 1) continue;
    const distance = ahead + 3 * aside;
    if (distance < least) {
      least = distance;
      best = entry;
    }
  }
  return best;
}

function focus(group, entry) {
  for (const other of group.querySelectorAll('[data-nav][tabindex="0"]')) other.setAttribute('tabindex', '-1');
  entry.setAttribute('tabindex', '0');
  use(group, entry);
  entry.focus();
  entry.scrollIntoView({ block: 'nearest', inline: 'nearest' });
}

function moves(event) {
  const from = event.target.closest?.('[data-nav]');
  // Without an entry arrows begin with the view's list, or scroll the page of a target.
  const group = from?.closest('[data-group]') ?? document.querySelector('main > [data-group], main > .scroll [data-group]');
  const entries = group ? [...group.querySelectorAll('[data-nav]')] : [];
  if (!entries.length) return false;
  let to = null;
  if (event.key in STEPS) {
    to = from ? nearest(from, entries, STEPS[event.key]) : entries[0];
  } else if (event.key === 'Home') {
    to = entries[0];
  } else if (event.key === 'End') {
    to = entries[entries.length - 1];
  } else {
    return false;
  }
  if (to) focus(group, to);
  return to !== null;
}

/**
 * Listens to the whole page. `actions`: what letters do; `back`: Esc.
 */
export function listen(actions, back) {
  document.addEventListener('focusin', ({ target }) => {
    const entry = target.closest?.('[data-nav]');
    const group = entry?.closest('[data-group]');
    if (group) use(group, entry);
  });
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const isField = event.target.matches?.('input, select, textarea');
    if (event.key === 'Escape') {
      if (document.querySelector('dialog[open]')) return;
      if (isField) event.target.blur();
      else back();
      event.preventDefault();
      return;
    }
    if (isField || document.querySelector('dialog[open]')) return;
    if (event.key === 'Enter' || event.key === ' ') {
      const entry = event.target.closest?.('[data-nav]');
      if (entry && !entry.matches('a, button')) {
        entry.dispatchEvent(new MouseEvent('click', { bubbles: true }));
        event.preventDefault();
      }
      return;
    }
    if (moves(event)) {
      event.preventDefault();
      return;
    }
    const action = actions[event.key];
    if (action) {
      action();
      event.preventDefault();
    }
  });
}
