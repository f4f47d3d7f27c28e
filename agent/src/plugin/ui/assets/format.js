// Numbers and times for people, as the commands print them.

/** `35 µs`, `1.2 ms`, `3.0 s`, `5 min`. */
export function seconds(s) {
  if (!Number.isFinite(s)) return '–';
  if (s < 1e-3) return `${(s * 1e6).toFixed(0)} µs`;
  if (s < 0.01) return `${(s * 1e3).toFixed(2)} ms`;
  if (s < 1) return `${(s * 1e3).toFixed(0)} ms`;
  if (s < 120) return `${s.toFixed(1)} s`;
  return `${(s / 60).toFixed(0)} min`;
}

/** `0.42 %`. */
export function percent(share) {
  if (!Number.isFinite(share)) return '–';
  const p = share * 100;
  if (p === 0) return '0 %';
  if (p < 0.1) return `${p.toFixed(3)} %`;
  return p < 10 ? `${p.toFixed(2)} %` : `${p.toFixed(0)} %`;
}

/** Three digits. */
export function number(n) {
  if (!Number.isFinite(n)) return '–';
  if (n !== 0 && (Math.abs(n) >= 1e6 || Math.abs(n) < 1e-3)) return n.toExponential(1);
  return Number(n.toPrecision(3)).toLocaleString('en');
}

/** A rate, `12 /s`. */
export function rate(n) {
  return Number.isFinite(n) ? `${number(n)} /s` : '–';
}

/** Units that have a form of their own, and what follows it: `seconds per request`, `share of requests`. */
const UNITS = [['seconds', seconds], ['ratio', percent], ['share', percent]];

function special(unit) {
  const found = UNITS.find(([name]) => unit === name || unit.startsWith(`${name} `));
  return found ? { form: found[1], rest: unit.slice(found[0].length) } : null;
}

/** A value of evidence in its unit. */
export function value(n, unit) {
  if (!Number.isFinite(n)) return '–';
  const own = special(unit);
  return own ? own.form(n) + own.rest : `${number(n)} ${unit}`;
}

/** The same on an axis, where there is little room. */
export function mark(n, unit) {
  return (special(unit)?.form ?? number)(n);
}

/** `45s`, `12m`, `3h`, `5d`, as kubectl shows ages. */
export function age(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 120) return `${s}s`;
  if (s < 7200) return `${Math.floor(s / 60)}m`;
  return s < 172800 ? `${Math.floor(s / 3600)}h` : `${Math.floor(s / 86400)}d`;
}

/** Time of day, local, of ms since the Unix epoch. */
export function clock(ms, withSeconds = false) {
  const parts = { hour: '2-digit', minute: '2-digit', hour12: false };
  if (withSeconds) parts.second = '2-digit';
  return new Date(ms).toLocaleTimeString('en-GB', parts);
}

/** `3 hints`, `1 hint`. */
export function count(n, one, many = `${one}s`) {
  return `${n} ${n === 1 ? one : many}`;
}
