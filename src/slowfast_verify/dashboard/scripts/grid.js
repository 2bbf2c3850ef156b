// The grid: rows by an axis, columns by platform; a square tells how far its cells got and how many of them ran at all.
const OTHER = "";
const ACCELERATORS_OF = {};
for (const name of VALUES.accelerator) {
  const maker = family(name);
  ACCELERATORS_OF[maker] = ACCELERATORS_OF[maker] ? `${ACCELERATORS_OF[maker]},${name}` : name;
}
const GROUPS = {
  torch: { values: VALUES.torch, of: OF.torch },
  subject: { values: SUBJECTS.keys, of: SUBJECTS.of },
  python: { values: VALUES.python, of: OF.python },
  installer: { values: VALUES.installer, of: OF.installer },
};

// {number of a head * platforms + number of a platform: how its cells stand}
function squaresOf({ of }, shown) {
  const width = PLATFORMS.keys.length;
  const squares = new Map();
  for (const row of shown) {
    const key = of[row] * width + PLATFORMS.of[row];
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
  return squares;
}

function drawGrid(where, shown) {
  const group = Object.hasOwn(GROUPS, where.rows) ? where.rows : "torch";
  const width = PLATFORMS.keys.length;
  const squares = squaresOf(GROUPS[group], shown);
  const heads = new Map(),
    platforms = new Set();
  for (const key of squares.keys()) {
    const number = Math.floor(key / width);
    heads.set(GROUPS[group].values[number] || OTHER, number);
    platforms.add(key % width);
  }
  const order = group === "subject" ? (a, b) => place(SUBJECT_ORDER, a) - place(SUBJECT_ORDER, b) || a.localeCompare(b) : byVersion;
  const rows = [...heads.keys()].sort(order).reverse();
  if (group === "subject") rows.reverse();
  const columns = [...platforms].sort((a, b) => byPlatform(PLATFORMS.keys[a], PLATFORMS.keys[b]));
  const word = (head) =>
    head === OTHER
      ? t("other_machine")
      : group === "subject"
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
    tileTable({
      kind: "table.tiles.grid",
      titledBy: "grid-title",
      caption: t("grid_caption"),
      head: "col.head",
      corner: el("td"),
      columns: columns.map((column) => platformWord(PLATFORMS.keys[column])),
      rows: rows.map((head) => ({
        name: word(head),
        tiles: columns.map((column) => squareTile(squares.get(heads.get(head) * width + column), where, group, head, PLATFORMS.keys[column])),
      })),
    }),
  ];
}

function squareTile(square, where, group, head, platform) {
  if (!square) return null;
  const states = [...square.by.keys()].filter((number) => square.by[number]);
  const told = states.map((number) => `${square.by[number]} ${t(`state_${STATES[number]}`)}`).join(", ");
  const worst = worstOf(square.by);
  const rungs = square.ran
    ? square.low === square.high
      ? rungName(square.high)
      : `${rungName(square.low)} – ${rungName(square.high)}`
    : t(`short_${worst}`);
  const [os, arch, maker, runner] = platform.split("/");
  const makers = ACCELERATORS_OF[maker];
  const more = os === "other" ? { runner: "target" } : { os, arch, accelerator: makers, runner, [group]: head };
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
      square.ran ? bar(square, states) : null,
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
