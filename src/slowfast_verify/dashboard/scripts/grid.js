// The grid: rows by an axis, columns by platform; a square tells how far its cells got and how many of them ran at all.
const GROUPS = {
  torch: (row) => at("torch", row),
  subject: (row) => SUBJECTS.keys[SUBJECTS.of[row]],
  python: (row) => at("python", row),
  installer: (row) => at("installer", row),
};

function drawGrid(where, shown) {
  const group = Object.hasOwn(GROUPS, where.rows) ? where.rows : "torch";
  const squares = new Map(),
    heads = new Set(),
    platforms = new Set();
  for (const row of shown) {
    const head = at("os", row) ? GROUPS[group](row) : t("other_machine");
    const platform = PLATFORMS.of[row];
    heads.add(head);
    platforms.add(platform);
    const key = `${head}|${platform}`;
    let square = squares.get(key);
    if (!square) {
      square = { all: 0, ran: 0, by: new Uint32Array(STATES.length), low: 99, high: -1 };
      squares.set(key, square);
    }
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
  const word = (head) =>
    group === "subject"
      ? subjectWord(...head.split("@"))
      : group === "installer"
        ? head
        : `${group === "torch" ? "torch" : "Python"} ${head}`;
  return [
    el(
      "div.grid-head",
      {},
      el("h3", { id: "grid-title" }, t("grid_title")),
      segmented(
        "rows",
        t("rows_by"),
        Object.keys(GROUPS).map((key) => [key, t(`axis_${key}`)]),
        group,
        (value) => address({ ...where, rows: value === "torch" ? "" : value }),
      ),
    ),
    el(
      "div.scroll",
      { tabindex: "0", role: "group", "aria-labelledby": "grid-title" },
      el(
        "table.tiles.grid",
        {},
        el("caption.away", {}, t("grid_caption")),
        el(
          "thead",
          {},
          el(
            "tr",
            {},
            el("td"),
            columns.map((column) => el("th", { scope: "col" }, platformWord(PLATFORMS.keys[column]))),
          ),
        ),
        el(
          "tbody",
          {},
          rows.map((head) =>
            el(
              "tr",
              {},
              el("th", { scope: "row" }, word(head)),
              columns.map((column) =>
                el("td", {}, squareTile(squares.get(`${head}|${column}`), where, group, head, PLATFORMS.keys[column])),
              ),
            ),
          ),
        ),
      ),
    ),
  ];
}

function squareTile(square, where, group, head, platform) {
  if (!square) return el("span.none", {}, el("span.away", {}, t("no_such_cell")), el("span", { "aria-hidden": "true" }, "·"));
  const states = [...square.by.keys()].filter((number) => square.by[number]);
  const told = states.map((number) => `${square.by[number]} ${t(`state_${STATES[number]}`)}`).join(", ");
  const worst = worstOf(square.by);
  const rungs = square.ran
    ? square.low === square.high
      ? rungName(square.high)
      : `${rungName(square.low)} – ${rungName(square.high)}`
    : t(`short_${worst}`);
  const [os, arch, maker, runner] = platform.split("/");
  const makers = VALUES.accelerator.filter((name) => family(name) === maker).join(",");
  const more = os === "other" ? {} : { os, arch, accelerator: makers, runner, [group]: head };
  return el(
    "a",
    {
      href: address({ ...where, ...more }),
      onclick: () => {
        focusNext = "results-title";
      },
    },
    el("span.away", {}, `${platformWord(platform)}, ${head}: ${rungs}; ${told}`),
    el(
      `span.tile.s-${worst}${square.ran === square.all ? "" : ".part"}`,
      { "aria-hidden": "true" },
      el("span.tile-main", {}, glyph(worst), el("span", {}, rungs)),
      bar(square, states),
      el("span.tile-note", {}, square.ran ? t("ran_of", { n: square.ran, all: square.all }) : t("none_of", { n: square.all })),
    ),
  );
}

const rungName = (number) => (number >= 0 && number < RUNGS.length ? rungWord(RUNGS[number]) : t("nothing"));

// A parent shows its worst child: of those that ran, where any ran; it is plain green only if all of them are.
const WORST = [
  "failed",
  "unexpected",
  "infrastructure",
  "known",
  "unverified",
  "reached",
  "passed",
  "predicted",
  "conflicts",
  "nowheel",
  "unresolved",
  "never",
  "resolves",
];
function worstOf(by) {
  return WORST.find((name) => by[STATES.indexOf(name)]) || "never";
}

function bar(square, states) {
  return el(
    "span.bar",
    {},
    states.map((number) => {
      const part = el(`span.b-${STATES[number]}`);
      part.style.flexGrow = String(square.by[number]);
      return part;
    }),
  );
}
