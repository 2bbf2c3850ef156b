// The front page: my machine -> what do I type, and the grid of everything below it.
function frontPage(where) {
  const page = el("div.page", {}, intro(), picker(), el("section", { "aria-labelledby": "every" },
    el("div.section-head", {}, el("h2", { id: "every" }, t("every_combination")), el("p.muted", {}, t("every_sub"))),
    filterPanel(where), el("div", { id: "grid" }), el("div", { id: "results" })), legend());
  queueMicrotask(() => refresh(where));
  return page;
}

function counts() {
  let ranOnes = 0, judged = 0, top = 0, outages = 0, newest = 0, predicted = 0;
  for (let row = 0; row < N; row += 1) {
    const now = D.state[row];
    if (now < RAN) { ranOnes += 1; newest = Math.max(newest, D.when[row]); }
    if (now < JUDGED) judged += 1;
    if (now < TOP) top += 1;
    if (STATES[now] === "infrastructure") outages += 1;
    if (now >= RAN && STATES[now] !== "never") predicted += 1;
  }
  return { ranOnes, judged, top, outages, newest, predicted, never: N - ranOnes - predicted };
}

function intro() {
  const n = counts();
  const share = n.judged ? Math.floor((100 * n.top) / n.judged) : 0;
  return el("header.intro", {}, el("h1", { tabindex: "-1" }, t("question")), el("p.lead", {}, t("lead")),
    el("dl.figures", {},
      el("div", {}, el("dt", {}, t("figure_ran")), el("dd", { "data-figure": "ran" }, String(n.ranOnes))),
      el("div", {}, el("dt", {}, t("figure_top")), el("dd", { "data-figure": "top" }, n.judged ? t("of_n", { n: n.top, all: n.judged, share }) : "–")),
      n.outages ? el("div", {}, el("dt", {}, t("figure_outage")), el("dd", { "data-figure": "outage" }, String(n.outages))) : null,
      el("div", {}, el("dt", {}, t("figure_predicted")), el("dd", { "data-figure": "predicted" }, String(n.predicted))),
      el("div", {}, el("dt", {}, t("figure_never")), el("dd", { "data-figure": "never" }, String(n.never))),
      el("div", {}, el("dt", {}, t("figure_newest")), el("dd", {}, n.newest ? `${day(n.newest)} · ${age(n.newest)}` : "–"))),
    D.refused ? el("p.warning", {}, t("refused", { n: D.refused })) : null);
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

function mine() { // what the browser says about the machine that it runs on
  const said = `${navigator.userAgentData?.platform || navigator.platform || ""} ${navigator.userAgent}`.toLowerCase();
  if (said.includes("win")) return "windows";
  return said.includes("mac") ? "macos" : "linux";
}

function picker() {
  const machines = MACHINES.keys.filter((key) => key !== "other").sort(byPlatform);
  const here = mine();
  return el("section.picker", { "aria-labelledby": "machine" }, el("div.section-head", {}, el("h2", { id: "machine" }, t("your_machine")), el("p.muted", {}, t("picker_sub"))),
    el("div.scroll", { tabindex: "0", role: "group", "aria-labelledby": "machine" }, el("table.tiles", {},
      el("caption.away", {}, t("picker_caption")),
      el("thead", {}, el("tr", {}, el("td"), PYTHONS.map((python) => el("th", { scope: "col" }, el("span.small", {}, "Python "), python)))),
      el("tbody", {}, machines.map((machine) => el("tr", { class: machine.startsWith(`${here}/`) ? "here" : null },
        el("th", { scope: "row" }, machineWord(machine), machine.startsWith(`${here}/`) ? el("span.tag", {}, t("this_system")) : null),
        PYTHONS.map((python) => el("td", {}, machineTile(machine, python)))))))));
}

function machineTile(machine, python) {
  const rows = BY_MACHINE.get(`${machine}/${python}`);
  if (!rows) return el("span.none", {}, el("span.away", {}, t("no_such_cell")), el("span", { "aria-hidden": "true" }, "·"));
  const row = best(rows);
  const note = noteOf(row);
  const label = `${machineWord(machine)}, Python ${python}: ${standingWord(row)}${ran(row) ? `, ${wordOf(row)}` : ""}${note ? `, ${note}` : ""}`;
  return link(toMachine(machine, python), el("span.away", {}, label), el(`span.tile.s-${state(row)}`, { "aria-hidden": "true" }, el("span.tile-main", {}, glyph(state(row)), el("span", {}, wordOf(row))),
    el("span.tile-note", {}, note)));
}

function noteOf(row) {
  if (ran(row) && at("runner", row) !== "native") return t(`under_${at("runner", row)}`) ;
  return ran(row) ? t("ran") : state(row) === "never" ? "" : t("not_run");
}

function legend() {
  const states = STATES.filter((name) => name !== "unexpected");
  return el("details.legend", {}, el("summary", {}, t("legend")), el("p", {}, t("legend_ladder")),
    el("ol.ladder-words", {}, RUNGS.map((rung) => el("li", {}, el("b", {}, rungWord(rung)), " ", t(`is_${rung}`)))),
    el("dl.legend-states", {}, states.map((name) => el("div", {}, el("dt", {}, glyph(name), t(`state_${name}`)), el("dd", {}, t(`means_${name}`))))));
}

// -- the grid: rows by an axis, columns by platform; a square tells how far its cells got and how many of them ran at all.
const GROUPS = { torch: (row) => at("torch", row), subject: (row) => SUBJECTS.keys[SUBJECTS.of[row]], python: (row) => at("python", row), installer: (row) => at("installer", row) };

function drawGrid(where, shown) {
  const group = Object.hasOwn(GROUPS, where.rows) ? where.rows : "torch";
  const squares = new Map(), heads = new Set(), platforms = new Set();
  for (const row of shown) {
    const head = at("os", row) ? GROUPS[group](row) : t("other_machine");
    const platform = PLATFORMS.of[row];
    heads.add(head);
    platforms.add(platform);
    const key = `${head}|${platform}`;
    let square = squares.get(key);
    if (!square) { square = { all: 0, ran: 0, by: new Uint32Array(STATES.length), low: 99, high: -1 }; squares.set(key, square); }
    square.all += 1;
    square.by[D.state[row]] += 1;
    if (D.state[row] < RAN) {
      square.ran += 1;
      square.low = Math.min(square.low, D.reached[row]);
      square.high = Math.max(square.high, D.reached[row]);
    }
  }
  const order = group === "subject" ? (a, b) => place(SUBJECT_ORDER, a) - place(SUBJECT_ORDER, b) || a.localeCompare(b) : byVersion;
  const rows = [...heads].sort(order).reverse();
  if (group === "subject") rows.reverse();
  const columns = [...platforms].sort((a, b) => byPlatform(PLATFORMS.keys[a], PLATFORMS.keys[b]));
  const word = (head) => (group === "subject" ? subjectWord(...head.split("@")) : group === "installer" ? head : `${group === "torch" ? "torch" : "Python"} ${head}`);
  return [el("div.grid-head", {}, el("h3", { id: "grid-title" }, t("grid_title")),
    segmented("rows", t("rows_by"), Object.keys(GROUPS).map((key) => [key, t(`axis_${key}`)]), group, (value) => address({ ...where, rows: value === "torch" ? "" : value }))),
  el("div.scroll", { tabindex: "0", role: "group", "aria-labelledby": "grid-title" }, el("table.tiles.grid", {},
    el("caption.away", {}, t("grid_caption")),
    el("thead", {}, el("tr", {}, el("td"), columns.map((column) => el("th", { scope: "col" }, platformWord(PLATFORMS.keys[column]))))),
    el("tbody", {}, rows.map((head) => el("tr", {}, el("th", { scope: "row" }, word(head)), columns.map((column) => el("td", {}, squareTile(squares.get(`${head}|${column}`), where, group, head, PLATFORMS.keys[column])))))))),
  ];
}

function squareTile(square, where, group, head, platform) {
  if (!square) return el("span.none", {}, el("span.away", {}, t("no_such_cell")), el("span", { "aria-hidden": "true" }, "·"));
  const states = [...square.by.keys()].filter((number) => square.by[number]);
  const told = states.map((number) => `${square.by[number]} ${t(`state_${STATES[number]}`)}`).join(", ");
  const worst = worstOf(square.by);
  const rungs = square.ran ? (square.low === square.high ? rungName(square.high) : `${rungName(square.low)} – ${rungName(square.high)}`) : t(`short_${worst}`);
  const [os, arch, maker, runner] = platform.split("/");
  const makers = VALUES.accelerator.filter((name) => family(name) === maker).join(",");
  const more = os === "other" ? {} : { os, arch, accelerator: makers, runner, [group]: head };
  return el("a", { href: address({ ...where, ...more }), onclick: () => { focusNext = "results-title"; } },
    el("span.away", {}, `${platformWord(platform)}, ${head}: ${rungs}; ${told}`),
    el(`span.tile.s-${worst}${square.ran === square.all ? "" : ".part"}`, { "aria-hidden": "true" },
      el("span.tile-main", {}, glyph(worst), el("span", {}, rungs)), bar(square, states), el("span.tile-note", {}, square.ran ? t("ran_of", { n: square.ran, all: square.all }) : t("none_of", { n: square.all }))));
}

const rungName = (number) => (number >= 0 && number < RUNGS.length ? rungWord(RUNGS[number]) : t("nothing"));

// A parent shows its worst child: of those that ran, where any ran; it is plain green only if all of them are.
const WORST = ["failed", "unexpected", "infrastructure", "known", "unverified", "reached", "passed", "predicted", "conflicts", "nowheel", "unresolved", "never", "resolves"];
function worstOf(by) {
  return WORST.find((name) => by[STATES.indexOf(name)]) || "never";
}

function bar(square, states) {
  return el("span.bar", {}, states.map((number) => {
    const part = el(`span.b-${STATES[number]}`);
    part.style.flexGrow = String(square.by[number]);
    return part;
  }));
}
