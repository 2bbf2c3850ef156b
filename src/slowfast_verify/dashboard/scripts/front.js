// The front page: my machine -> what do I type, and the grid of everything below it.
function frontPage(where) {
  const page = el(
    "div.page",
    {},
    intro(),
    picker(),
    el(
      "section",
      { "aria-labelledby": "every" },
      el("div.section-head", {}, el("h2", { id: "every" }, t("every_combination")), el("p.muted", {}, t("every_sub"))),
      filterPanel(where),
      el("div", { id: "grid" }),
      el("div", { id: "results" }),
    ),
    legend(),
  );
  queueMicrotask(() => refresh(where));
  return page;
}

function counts() {
  let ranOnes = 0,
    judged = 0,
    top = 0,
    outages = 0,
    newest = 0,
    predicted = 0;
  for (let row = 0; row < N; row += 1) {
    const now = D.state[row];
    if (now < RAN) {
      ranOnes += 1;
      newest = Math.max(newest, D.when[row]);
    }
    if (now < JUDGED) judged += 1;
    if (now < TOP) top += 1;
    if (STATES[now] === "infrastructure") outages += 1;
    if (now >= RAN && !["never", "unresolved"].includes(STATES[now])) predicted += 1;
  }
  return { ranOnes, judged, top, outages, newest, predicted, never: N - ranOnes - predicted };
}

function intro() {
  const n = counts();
  const share = n.judged ? Math.floor((100 * n.top) / n.judged) : 0;
  return el(
    "header.intro",
    {},
    el("h1", { tabindex: "-1" }, t("question")),
    el("p.lead", {}, t("lead")),
    el(
      "dl.figures",
      {},
      el("div", {}, el("dt", {}, t("figure_ran")), el("dd", { "data-figure": "ran" }, String(n.ranOnes))),
      el(
        "div",
        {},
        el("dt", {}, t("figure_top")),
        el("dd", { "data-figure": "top" }, n.judged ? t("of_n", { n: n.top, all: n.judged, share }) : "–"),
      ),
      n.outages ? el("div", {}, el("dt", {}, t("figure_outage")), el("dd", { "data-figure": "outage" }, String(n.outages))) : null,
      el("div", {}, el("dt", {}, t("figure_predicted")), el("dd", { "data-figure": "predicted" }, String(n.predicted))),
      el("div", {}, el("dt", {}, t("figure_never")), el("dd", { "data-figure": "never" }, String(n.never))),
      el("div", {}, el("dt", {}, t("figure_newest")), el("dd", {}, n.newest ? `${day(n.newest)} · ${age(n.newest)}` : "–")),
    ),
    D.refused ? el("p.warning", {}, t("refused", { n: D.refused })) : null,
  );
}

function rowsByMachine() {
  const found = new Map();
  for (let row = 0; row < N; row += 1) {
    if (!at("os", row)) continue;
    const key = `${MACHINES.keys[MACHINES.of[row]]}/${at("python", row)}`;
    if (!found.has(key)) found.set(key, []);
    found.get(key).push(row);
  }
  return found;
}
const BY_MACHINE = rowsByMachine();
const PYTHONS = VALUES.python.filter(Boolean).sort(byVersion);

function mine() {
  // what the browser says about the machine that it runs on
  const said = `${navigator.userAgentData?.platform || navigator.platform || ""} ${navigator.userAgent}`.toLowerCase();
  if (said.includes("win")) return "windows";
  return said.includes("mac") ? "macos" : "linux";
}

function picker() {
  const machines = MACHINES.keys.filter((key) => key !== "other").sort(byPlatform);
  const here = mine();
  const isHere = (machine) => machine.startsWith(`${here}/`);
  return el(
    "section.picker",
    { "aria-labelledby": "machine" },
    el("div.section-head", {}, el("h2", { id: "machine" }, t("your_machine")), el("p.muted", {}, t("picker_sub"))),
    tileTable({
      kind: "table.tiles",
      titledBy: "machine",
      caption: t("picker_caption"),
      head: "col.head.wide",
      corner: el("td.corner", { "aria-hidden": "true" }, "Python"),
      columns: PYTHONS.map((python) => [el("span.away", {}, "Python "), python]),
      rows: machines.map((machine, number) => ({
        class: isHere(machine) ? "here" : null,
        name: [machineWord(machine), isHere(machine) && !isHere(machines[number - 1] || "") ? el("span.tag", {}, t("this_system")) : null],
        tiles: PYTHONS.map((python) => machineTile(machine, python)),
      })),
    }),
  );
}

function machineTile(machine, python) {
  const rows = BY_MACHINE.get(`${machine}/${python}`);
  if (!rows) return null;
  const row = best(rows);
  const note = noteOf(row);
  const label = `${machineWord(machine)}, Python ${python}: ${standingWord(row)}${ran(row) ? `, ${wordOf(row)}` : ""}${note ? `, ${note}` : ""}`;
  return link(
    toMachine(machine, python),
    el("span.away", {}, label),
    el(
      `span.tile.s-${state(row)}`,
      { "aria-hidden": "true" },
      el("span.tile-main", {}, glyph(state(row)), el("span", {}, wordOf(row))),
      el("span.tile-note", {}, note),
    ),
  );
}

function noteOf(row) {
  if (ran(row) && at("runner", row) !== "native") return t(`under_${at("runner", row)}`);
  return ran(row) ? t("ran") : state(row) === "never" ? "" : t("not_run");
}

function legend() {
  const states = STATES.filter((name) => name !== "unexpected");
  return el(
    "details.legend",
    {},
    el("summary", {}, t("legend")),
    el("p", {}, t("legend_ladder")),
    el(
      "ol.ladder-words",
      {},
      RUNGS.map((rung) => el("li", {}, el("b", {}, rungWord(rung)), " ", t(`is_${rung}`))),
    ),
    el(
      "dl.legend-states",
      {},
      states.map((name) => el("div", {}, el("dt", {}, glyph(name), t(`state_${name}`)), el("dd", {}, t(`means_${name}`)))),
    ),
  );
}
