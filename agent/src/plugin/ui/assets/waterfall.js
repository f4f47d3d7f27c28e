// Where the time of requests goes: one bar per end, by stage, now and in normal times.

import { el } from './dom.js';
import { count, percent, rate, seconds } from './format.js';

const ENDS = { no_pod: 'no Pod', not_measured: 'not measured', cycle: 'shown above', depth: 'and further' };

/** The stages of a row. A client's `peer` is split as the callee's agent measured it. */
function stages(row) {
  return row.stages.flatMap((stage) => {
    if (stage.stage !== 'peer' || !row.peer) return [stage];
    const { unread_seconds: unread, application_seconds: application, between_seconds: between } = row.peer;
    return [
      { stage: 'between', seconds: between, normally_seconds: null },
      { stage: 'peer unread', seconds: unread, normally_seconds: null },
      { stage: 'peer application', seconds: application, normally_seconds: null },
    ];
  });
}

const total = (list, of) => list.reduce((sum, stage) => sum + (stage[of] ?? 0), 0);

function bar(list, of, longest, kind) {
  const sum = total(list, of);
  const text = list.filter((stage) => stage[of] > 0).map((stage) => `${stage.stage} ${seconds(stage[of])}`).join(', ');
  return el('div', { class: `stages ${kind}`, role: 'img', 'aria-label': `${kind}: ${seconds(sum)}: ${text}`, title: text },
    list.filter((stage) => stage[of] > 0).map((stage) => el('span', {
      class: `stage ${stage.stage.replaceAll(' ', '-')}`,
      style: { width: `${(100 * stage[of]) / longest}%` },
    })),
    el('span', { class: 'sum' }, `${kind === 'usual' ? 'normally ' : ''}${seconds(sum)}`));
}

function times({ now, normally }) {
  const one = (name, key) => {
    if (now[key] === null) return null;
    const usual = normally?.[key];
    return `${name} ${seconds(now[key])}${usual == null ? '' : ` (normally ${seconds(usual)})`}`;
  };
  return [one('median', 'p50_seconds'), one('p95', 'p95_seconds'), one('p99', 'p99_seconds')].filter(Boolean).join(' · ');
}

function line(row, longest) {
  const list = stages(row);
  const who = row.role === 'server' ? `${row.pod} answers` : `${row.pod} asks ${row.callee}`;
  const where = row.role === 'server' ? row.node : row.callee_node;
  const facts = [
    row.per_second === null ? count(row.requests, 'request') : rate(row.per_second),
    times(row),
    row.http && row.http.error_share > 0 ? `errors ${percent(row.http.error_share)}` : '',
    row.unanswered ? `${count(row.unanswered, 'request waits', 'requests wait')}${row.unanswered_for_seconds ? ` for ${seconds(row.unanswered_for_seconds)}` : ''}` : '',
    row.ended_unanswered ? `${row.ended_unanswered} ended without an answer` : '',
    row.end_of_path ? ENDS[row.end_of_path] : '',
  ];
  const isSlow = row.normally?.p50_seconds > 0 && row.now.p50_seconds > 2 * row.normally.p50_seconds;
  const usual = total(row.stages, 'normally_seconds') > 0;
  return el('li', { style: { 'margin-left': `${Math.min(row.depth, 6) * 1.2}rem` }, class: isSlow || row.unanswered ? 'slow' : null },
    el('p', {}, el('b', {}, who), where ? el('span', { class: 'dim' }, ` on ${where}`) : null),
    list.length ? bar(list, 'seconds', longest, 'now') : null,
    usual ? bar(row.stages, 'normally_seconds', longest, 'usual') : null,
    el('p', { class: 'dim' }, facts.filter(Boolean).join(' · ')));
}

/** The section. `null`: nothing was measured, and nothing says why. */
export function waterfall({ rows, missing }) {
  if (!rows.length && !missing.length) return null;
  const longest = Math.max(1e-9, ...rows.map((row) => Math.max(total(row.stages, 'seconds'), total(row.stages, 'normally_seconds')))) * 1.15;
  const names = [...new Set(rows.flatMap((row) => stages(row).filter((stage) => stage.seconds > 0).map(({ stage }) => stage)))];
  return el('section', { id: 'waterfall', tabindex: '0', 'data-key': 'section:waterfall', 'aria-labelledby': 'waterfall-title' },
    el('h3', { id: 'waterfall-title' }, 'Where the time goes'),
    names.length ? el('p', { class: 'legend' }, names.map((name) => el('span', {}, el('i', { class: `stage ${name.replaceAll(' ', '-')}` }), name))) : null,
    rows.length ? el('ul', { class: 'waterfall' }, rows.map((row) => line(row, longest))) : null,
    missing.map((why) => el('p', { class: 'dim' }, why)));
}
