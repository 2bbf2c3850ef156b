// What changed since a day: verdicts then and now, side by side.
function runsOf(row) {
  if (D.histories[row]) return D.histories[row];
  return ran(row) ? [[new Date(D.when[row] * 1000).toISOString(), D.state[row], D.reached[row], D.stop[row], D.cause[row]]] : [];
}

const ANSWERS = new Set(["passed", "reached", "known", "failed", "unexpected"].map((name) => STATES.indexOf(name)));
const RED = new Set(["failed", "unexpected"].map((name) => STATES.indexOf(name)));

function verdictAt(runs, until) {
  const before = runs.filter(([run]) => run.slice(0, 10) <= until);
  return before.findLast(([, now]) => ANSWERS.has(now)) || before[before.length - 1] || null;
}

const KINDS = ["newly_red", "newly_green", "changed_cause", "further", "less_far", "outage", "first_run", "no_longer"];

function compareSince(since) {
  const found = Object.fromEntries(KINDS.map((kind) => [kind, []]));
  for (let row = 0; row < N; row += 1) {
    const runs = runsOf(row);
    if (!runs.length) continue;
    const was = verdictAt(runs, since),
      now = verdictAt(runs, "9999"),
      last = runs[runs.length - 1];
    if (!was) {
      found.first_run.push([row, was, now]);
      continue;
    }
    if (last[0].slice(0, 10) <= since) {
      found.no_longer.push([row, was, now]);
      continue;
    }
    if (!ANSWERS.has(last[1])) {
      found.outage.push([row, was, last]);
      continue;
    }
    if (RED.has(now[1]) && !RED.has(was[1])) found.newly_red.push([row, was, now]);
    else if (now[1] < TOP && was[1] >= TOP) found.newly_green.push([row, was, now]);
    else if (now[1] >= TOP && now[4] !== was[4]) found.changed_cause.push([row, was, now]);
    else if (now[2] > was[2]) found.further.push([row, was, now]);
    else if (now[2] < was[2]) found.less_far.push([row, was, now]);
  }
  return found;
}

function changesPage(where) {
  const days = new Set();
  for (let row = 0; row < N; row += 1) for (const [run] of runsOf(row)) days.add(run.slice(0, 10));
  const sorted = [...days].sort().reverse();
  const since = /^\d{4}-\d\d-\d\d$/.test(where.changes) ? where.changes : sorted[1] || sorted[0] || day(D.made);
  const found = compareSince(since);
  const picker = el(
    "select",
    { id: "since", onchange: () => go(address({ changes: picker.value })) },
    [...new Set([since, ...sorted])]
      .sort()
      .reverse()
      .map((one) => el("option", { value: one, selected: one === since }, one)),
  );
  const total = KINDS.filter((kind) => kind !== "no_longer").reduce((sum, kind) => sum + found[kind].length, 0);
  queueMicrotask(() => say(t("n_changes", { n: total })));
  return el(
    "div.page",
    {},
    el("h1", { tabindex: "-1" }, t("nav_changes")),
    el("p.search", {}, el("label", { for: "since" }, t("since")), picker),
    el("p.muted", {}, sorted.length < 2 ? t("one_day") : t("n_changes", { n: total })),
    KINDS.map((kind) => (sorted.length > 1 && found[kind].length ? changeGroup(kind, found[kind]) : null)),
  );
}

function changeGroup(kind, rows) {
  const body = el(
    "ul.changes",
    {},
    rows
      .slice(0, 200)
      .map(([row, was, now]) =>
        el(
          "li",
          {},
          link(
            toCell(row),
            el("b", {}, at("os", row) ? subjectWord(at("subject", row), at("revision", row)) : quoted(nameOf(row))),
            " ",
            at("os", row) ? cellWords(row).join(" · ") : "",
          ),
          el(
            "span.change",
            {},
            was ? oneStanding(was) : t("not_run"),
            el("span", { "aria-hidden": "true" }, " → "),
            el("span.away", {}, ` ${t("then")} `),
            kind === "no_longer" ? t("not_since") : oneStanding(now),
          ),
        ),
      ),
  );
  const head = [t(`change_${kind}`), " ", el("span.figure", {}, String(rows.length))];
  return kind === "no_longer" || kind === "first_run"
    ? el("details.change-group", { open: rows.length < 40 && kind === "first_run" }, el("summary", {}, el("h2", {}, head)), body)
    : el(`section.change-group.c-${kind}`, {}, el("h2", {}, head), body);
}

function oneStanding([, now, reached, , cause]) {
  return el(
    "span",
    {},
    glyph(STATES[now]),
    t(`state_${STATES[now]}`),
    reached >= 0 ? ` (${rungWord(RUNGS[reached])})` : "",
    cause >= 0 ? [" ", link(toFailure(D.failures[cause][0]), D.failures[cause][0])] : null,
  );
}
