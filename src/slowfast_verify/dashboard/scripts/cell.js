// One cell: how far it got, why no further, the evidence, what shows it again, what to type, and what it was before.
function cellPage(where) {
  const name = where.cell,
    row = rowOf(name);
  if (row < 0) return missing(t("no_such_cell"), name);
  const words = cellWords(row);
  const page = el(
    "article.page.cell-page",
    {},
    el("p.crumbs", {}, link("#", t("nav_front")), " › ", t("cell")),
    el("h1", { tabindex: "-1" }, at("os", row) ? subjectWord(at("subject", row), at("revision", row)) : quoted(name)),
    el("p.cell-words", {}, words.join(" · ")),
    verdictBox(row),
    el("div", { id: "detail", "aria-busy": "true" }, el("p.muted", {}, t("unpacking"))),
  );
  detailOf(row)
    .then(({ detail, shared }) => {
      const box = page.querySelector("#detail");
      box.removeAttribute("aria-busy");
      fill(box, cellBody(row, where, detail, shared));
    })
    .catch(() => fill(page.querySelector("#detail"), el("p.warning", {}, t("cannot_unpack"))));
  return page;
}

function verdictBox(row) {
  const label = D.labels[D.label[row]];
  return el(
    `div.verdict.s-${state(row)}`,
    {},
    glyph(state(row), "big"),
    el(
      "div",
      {},
      el("p.verdict-word", {}, standingWord(row)),
      el("p", {}, verdictSentence(row)),
      label ? el("p.label", {}, t("ran_under"), " ", quoted(label), at("runner", row) === "wine" ? t("not_windows") : null) : null,
      D.when[row]
        ? el(
            "p.muted",
            {},
            ran(row) ? t("verified_on", { day: day(D.when[row]) }) : t("resolved_on", { day: day(D.when[row]) }),
            " · ",
            ageOf(row),
          )
        : null,
      outageNote(row),
    ),
  );
}

function outageNote(row) {
  const past = D.histories[row];
  const last = past && past[past.length - 1];
  if (!last || secondsOfRun(last[0]) <= D.when[row]) return null;
  return el(
    "p.outage",
    {},
    glyph(STATES[last[1]]),
    t("last_attempt", {
      day: last[0].slice(0, 10),
      state: t(`state_${STATES[last[1]]}`),
      stop: last[3] >= 0 ? rungWord(RUNGS[last[3]]) : "",
    }),
  );
}

const secondsOfRun = (run) => Date.parse(run.slice(0, 20)) / 1000 || 0;

function cellBody(row, where, detail, shared) {
  const run = detail.runs[0];
  return [
    run ? ladderOf(row, run, shared) : null,
    run ? firstCause(row, run, shared) : null,
    whatToType(row, detail, shared, where, (form) => address({ ...where, form })),
    run?.again
      ? el("section", {}, el("h2", {}, t("again")), el("p.muted", {}, t("again_sub")), script(run.again.join("\n"), t("again")))
      : null,
    run ? timings(row, run, shared) : null,
    run ? checksSection(run, shared, where) : null,
    run ? factsSection(row, run, shared, detail) : null,
    detail.resolved ? resolvedSection(detail.resolved, shared) : null,
    historySection(row),
  ];
}

function checksOf(run, shared) {
  const times = run.times.split(",");
  return shared.sets[run.checks].map((check, number) => ({
    id: shared.checks[check][0],
    rung: shared.checks[check][1],
    letter: run.outcomes[number],
    seconds: Number(times[number]) || 0,
    told: toldOf(run, number, shared),
  }));
}

function toldOf(run, number, shared) {
  const parts = run.told?.[number];
  if (!parts) return null;
  const [known, reason, how, type, message, step, signal, stderr] = parts.map((text) => (text ? shared.texts[text - 1] : ""));
  return { known, reason, how, type, message, step, signal, stderr };
}

function ladderOf(row, run, shared) {
  const letters = D.ladders[D.ladder[row]];
  const by = Object.fromEntries(RUNGS.map((rung) => [rung, {}]));
  for (const check of checksOf(run, shared)) by[check.rung][check.letter] = (by[check.rung][check.letter] || 0) + 1;
  return el(
    "section",
    {},
    el("h2", {}, t("ladder")),
    el(
      "ol.ladder",
      {},
      RUNGS.map((rung, number) => {
        const figures = Object.entries(by[rung]),
          total = figures.reduce((sum, [, count]) => sum + count, 0),
          passed = by[rung].p || 0;
        const others = figures.filter(([letter]) => letter !== "p").map(([letter, count]) => `${count} ${rungOutcome(letter)}`);
        return el(
          `li.rung.r-${SHAPES[letters[number]]}`,
          {},
          glyph(SHAPES[letters[number]]),
          el("b", {}, rungWord(rung)),
          el(
            "span.rung-word",
            {},
            total
              ? [t("passed_of", { n: passed, all: total }), others.length ? el("span.others", {}, others.join(", ")) : null]
              : t("rung_never_run"),
          ),
        );
      }),
    ),
  );
}

function firstCause(row, run, shared) {
  const bad = checksOf(run, shared).filter((check) => "fuik".includes(check.letter));
  const order = (check) => ("fui".includes(check.letter) ? 0 : 100) + RUNGS.indexOf(check.rung);
  const first = bad.sort((a, b) => order(a) - order(b))[0];
  if (!first) return null;
  const { known, reason, how, type, message, step, signal, stderr } = first.told || {};
  const expected = first.letter === "k";
  return el(
    "section.first-cause",
    {},
    el("h2", {}, expected && D.state[row] < TOP ? t("first_known") : t("first_cause")),
    el("p", {}, glyph(SHAPES[first.letter]), code(first.id), " ", el("span.muted", {}, rungOutcome(first.letter))),
    known ? el("p", {}, FAILURE.has(known) ? link(toFailure(known), failureTitle(FAILURE.get(known))) : code(known)) : null,
    message || reason
      ? pre(
          [
            type && how === "raised" ? `${type}: ${message}` : message || reason,
            signal ? `signal ${signal}` : "",
            step ? `(${t("while_doing")}: ${step})` : "",
          ]
            .filter(Boolean)
            .join("\n"),
          t("evidence"),
        )
      : null,
    stderr ? el("details", {}, el("summary", {}, t("said_last")), pre(stderr, t("said_last"))) : null,
  );
}

// The commands; of a cell that a rule drew up and that is not the newest of its kind, the command that prints them.
function whatToType(row, detail, shared, where, toForm) {
  if (detail.recipe) return recipeSection(detail.recipe, shared, where, toForm);
  if (!at("os", row)) return null;
  const cell = nameOf(row).split("+")[0];
  return el(
    "section",
    {},
    el("h2", {}, t("what_to_type")),
    el("p", {}, t("recipe_elsewhere")),
    script(`slowfast-verify recipe --cell ${cell}\n`, t("command")),
  );
}

function recipeSection(recipe, shared, where, toForm) {
  const [proof, evidence, needs, notes, differences, blocks] = recipe;
  const forms = Object.keys(blocks);
  if (!forms.length) return null;
  const form = forms.includes(where.form) ? where.form : forms[0];
  const [own, lines] = blocks[form];
  const text = `${lines.map((line) => shared.lines[line]).join("\n")}\n`;
  return el(
    "section.recipe",
    {},
    el("h2", {}, t("what_to_type")),
    el(
      `p.proof.proof-${own.replaceAll(" ", "_")}`,
      {},
      el("b", {}, t(`proof_${own.replaceAll(" ", "_")}`)),
      " ",
      t(`proof_says_${own.replaceAll(" ", "_")}`),
      evidence ? [" ", link(address({ cell: evidence }), t("evidence"))] : null,
    ),
    differences.length
      ? el(
          "ul.differences",
          {},
          differences.map((text) => el("li", {}, quoted(text))),
        )
      : null,
    needs.length ? el("p.needs", {}, t("needs"), " ", needs.join(", ")) : null,
    segmented(
      "form",
      t("shell"),
      forms.map((name) => [name, either(`form_${name}`, name)]),
      form,
      toForm,
    ),
    script(text, either(`form_${form}`, form)),
    notes.map((note) => el("p.note", {}, quoted(note))),
    proof !== own && forms.length > 1 ? el("p.muted", {}, t("proof_whole"), " ", t(`proof_${proof.replaceAll(" ", "_")}`)) : null,
  );
}

function missing(what, name) {
  return el("div.page", {}, el("h1", { tabindex: "-1" }, what), el("p", {}, code(name)), el("p", {}, link("#", t("nav_front"))));
}
