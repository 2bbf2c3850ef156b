// Filters and the list of cells that they leave. The facets are built once and only their figures change, so that the focus stays.
const FACETS = {
  subject: {
    values: SUBJECTS.keys,
    of: SUBJECTS.of,
    order: (a, b) => place(SUBJECT_ORDER, a) - place(SUBJECT_ORDER, b) || a.localeCompare(b),
    word: (value) => (value ? subjectWord(...value.split("@")) : t("other_machine")),
  },
  os: {
    values: VALUES.os,
    of: OF.os,
    order: (a, b) => place(SYSTEMS, a) - place(SYSTEMS, b),
    word: (value) => either(`os_${value}`, value || t("other_machine")),
  },
  arch: { values: VALUES.arch, of: OF.arch, order: (a, b) => a.localeCompare(b), word: (value) => value || t("other_machine") },
  python: { values: VALUES.python, of: OF.python, order: byVersion, word: (value) => value || t("other_machine") },
  torch: { values: VALUES.torch, of: OF.torch, order: byVersion, word: (value) => value || t("other_machine") },
  accelerator: {
    values: VALUES.accelerator,
    of: OF.accelerator,
    order: (a, b) => place(MAKERS, family(a)) - place(MAKERS, family(b)) || byVersion(a, b),
    word: (value) => (value ? acceleratorWord(value) : t("other_machine")),
  },
  installer: {
    values: VALUES.installer,
    of: OF.installer,
    order: (a, b) => place(INSTALLERS, a) - place(INSTALLERS, b),
    word: (value) => value || t("other_machine"),
  },
  runner: {
    values: VALUES.runner,
    of: OF.runner,
    order: (a, b) => place(RUNNERS, a) - place(RUNNERS, b),
    word: (value) => either(`how_${value}`, value),
  },
  state: {
    values: STATES,
    of: Uint16Array.from(D.state),
    order: (a, b) => STATES.indexOf(a) - STATES.indexOf(b),
    word: (value) => t(`state_${value}`),
    mark: glyph,
  },
};
const SHOWN_AT_ONCE = 25;
const facetParts = {};
let more = SHOWN_AT_ONCE,
  lastShown = "",
  focusNext = "";

function chosenIn(where) {
  const found = {};
  for (const [facet, { values }] of Object.entries(FACETS)) {
    const wanted = (where[facet] || "").split(",").filter((value) => value !== "");
    if (wanted.length) found[facet] = Uint8Array.from(values, (value) => Number(wanted.includes(value)));
  }
  return found;
}

// The rows that all facets leave, and for each value of a facet how many rows it would leave beside the other facets.
function sift(where) {
  const chosen = chosenIn(where);
  const names = Object.keys(FACETS),
    only = names.filter((name) => chosen[name]);
  const figures = Object.fromEntries(names.map((name) => [name, new Uint32Array(FACETS[name].values.length)]));
  const shown = [];
  const old = where.age === "stale";
  for (const row of ORDER) {
    if (old && !(ran(row) && isStale(D.when[row]))) continue;
    let missed = 0,
      which = "";
    for (const name of only) {
      if (!chosen[name][FACETS[name].of[row]]) {
        missed += 1;
        which = name;
        if (missed > 1) break;
      }
    }
    if (missed === 0) {
      shown.push(row);
      for (const name of names) figures[name][FACETS[name].of[row]] += 1;
    } else if (missed === 1) figures[which][FACETS[which].of[row]] += 1;
  }
  return { shown, figures };
}

function filterPanel(where) {
  for (const key of Object.keys(facetParts)) delete facetParts[key];
  const fieldsets = Object.entries(FACETS).map(([name, facet]) => {
    const present = new Set(facet.of);
    const values = facet.values
      .map((value, number) => [value, number])
      .filter(([, number]) => present.has(number))
      .sort((a, b) => facet.order(a[0], b[0]));
    if (values.length < 2) return null;
    facetParts[name] = [];
    return el(
      "fieldset",
      { "data-facet": name },
      el("legend", {}, t(`axis_${name}`)),
      el(
        "div.chips",
        {},
        values.map(([value, number]) => {
          const box = el("input", { type: "checkbox", value, onchange: () => toggle(name, value, box.checked) });
          const figure = el("span.figure");
          const chip = el("label.chip", {}, box, facet.mark ? facet.mark(value) : null, el("span", {}, facet.word(value)), figure);
          facetParts[name].push({ box, figure, chip, value, number });
          return chip;
        }),
      ),
    );
  });
  const open = Object.keys(FACETS).some((name) => where[name]) || matchMedia("(min-width: 60rem)").matches;
  return el(
    "details.filters",
    { open },
    el("summary", {}, t("filters"), el("span.active-filters", { id: "active" })),
    el(
      "form",
      { onsubmit: (event) => event.preventDefault() },
      fieldsets,
      el("div.filter-actions", {}, el("button", { type: "button", onclick: () => go("#") }, t("clear_filters"))),
    ),
  );
}

function toggle(name, value, on) {
  const where = parse(location.hash);
  const values = new Set((where[name] || "").split(",").filter(Boolean));
  if (on) values.add(value);
  else values.delete(value);
  go(address({ ...where, [name]: [...values].join(",") }));
}

// Puts the filters of an address into effect: figures, grid and list; returns how many cells are left.
function refresh(where) {
  const { shown, figures } = sift(where);
  const chosen = chosenIn(where);
  for (const [name, parts] of Object.entries(facetParts)) {
    for (const { box, figure, chip, number } of parts) {
      box.checked = Boolean(chosen[name]?.[number]);
      figure.textContent = String(figures[name][number]);
      chip.classList.toggle("empty", figures[name][number] === 0 && !box.checked);
    }
  }
  const active = Object.keys(chosen).map((name) => where[name].split(",").map(FACETS[name].word).join(" / "));
  document.getElementById("active").textContent = active.join(" · ");
  fill(document.getElementById("grid"), shown.length ? drawGrid(where, shown) : null);
  const key = JSON.stringify(where);
  if (key !== lastShown) more = SHOWN_AT_ONCE;
  lastShown = key;
  drawList(shown);
  say(t("n_cells", { n: shown.length }));
  return shown.length;
}

function drawList(shown) {
  const box = document.getElementById("results");
  const part = shown.slice(0, more);
  fill(
    box,
    el("h3", { id: "results-title", tabindex: "-1" }, t("n_cells", { n: shown.length })),
    shown.length ? cellTable(part, "results-title") : el("p.muted", {}, t("nothing_left")),
    shown.length > more
      ? el(
          "button.more",
          {
            type: "button",
            onclick: () => {
              const first = more;
              more += SHOWN_AT_ONCE * 3;
              drawList(shown);
              box.querySelectorAll("tbody tr a")[first]?.focus();
            },
          },
          t("show_more", { n: shown.length - more }),
        )
      : null,
  );
}

function cellTable(rows, labelled) {
  return el(
    "table.cells",
    { "aria-labelledby": labelled },
    el(
      "thead",
      {},
      el(
        "tr",
        {},
        ["head_standing", "head_cell", "head_ladder", "head_cause", "head_age"].map((key) => el("th", { scope: "col" }, t(key))),
      ),
    ),
    el(
      "tbody",
      {},
      rows.map((row) =>
        el(
          "tr",
          {},
          el(
            "td.standing",
            {},
            el(`span.state.s-${state(row)}`, {}, glyph(state(row)), el("span", {}, ran(row) ? wordOf(row) : t(`short_${state(row)}`))),
          ),
          el(
            "td.what",
            {},
            link(
              toCell(row),
              el("b", {}, at("os", row) ? subjectWord(at("subject", row), at("revision", row)) : quoted(nameOf(row))),
              " ",
              at("os", row) ? el("span.where", {}, cellWords(row).join(" · ")) : null,
            ),
          ),
          el("td.ladder-cell", {}, ran(row) ? strip(row) : null),
          el("td.cause-cell", {}, causeOf(row)),
          el("td.age", {}, ageOf(row)),
        ),
      ),
    ),
  );
}

function causeOf(row) {
  if (D.cause[row] >= 0) return link(toFailure(D.failures[D.cause[row]][0]), failureTitle(D.cause[row]));
  if (state(row) === "reached")
    return el(
      "span.muted",
      {},
      [D.known[row] ? t("note_known", { n: D.known[row] }) : "", D.open[row] ? t("note_open", { n: D.open[row] }) : ""]
        .filter(Boolean)
        .join(t("and")),
    );
  return el("span.muted", {}, ran(row) ? standingWord(row) : "");
}

function ageOf(row) {
  if (!D.when[row]) return "";
  return el(
    "time",
    { datetime: day(D.when[row]), title: day(D.when[row]), class: isStale(D.when[row]) ? "old" : null },
    age(D.when[row]),
    isStale(D.when[row]) ? el("span.tag", {}, t("stale")) : null,
  );
}
