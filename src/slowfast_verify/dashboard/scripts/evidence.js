// What stands below a cell's ladder: where the time went, its checks, the facts, what resolving it said, and its history.
function timings(row, run, shared) {
  const parts = run.installed ? Object.entries(run.installed[2]) : [];
  const slowest = new Map();
  for (const check of checksOf(run, shared))
    if (check.rung !== "install" && check.seconds >= 0.01) slowest.set(`${check.rung}|${check.seconds}`, check);
  const top = [...slowest.values()].sort((a, b) => b.seconds - a.seconds).slice(0, 8);
  const bars = (rows, word) => {
    const most = Math.max(...rows.map(([, seconds]) => seconds), 0.01);
    return el(
      "table.times",
      {},
      el("caption", {}, word),
      el(
        "tbody",
        {},
        rows.map(([name, seconds]) => {
          const fillBar = el("span.time-bar");
          fillBar.style.width = `${Math.max(1, (100 * seconds) / most)}%`;
          return el(
            "tr",
            {},
            el("th", { scope: "row" }, code(name)),
            el("td.number", {}, duration(seconds)),
            el("td.time-cell", { "aria-hidden": "true" }, fillBar),
          );
        }),
      ),
    );
  };
  return el(
    "section",
    {},
    el("h2", {}, t("timings")),
    el(
      "div.columns",
      {},
      parts.length ? bars(parts, `${t("installing")}: ${duration(run.installed[1])}`) : null,
      top.length
        ? bars(
            top.map((check) => [check.id, check.seconds]),
            `${t("verifying")}: ${duration(run.seconds)}`,
          )
        : null,
    ),
  );
}

function checksSection(run, shared, where) {
  const all = checksOf(run, shared),
    told = all.filter((check) => check.letter !== "p");
  const shown = where.checks === "all" ? all : told;
  return el(
    "section",
    {},
    el(
      "div.section-head",
      {},
      el("h2", {}, t("checks")),
      segmented(
        "checks",
        t("show"),
        [
          ["", t("not_passed", { n: told.length })],
          ["all", t("all_checks", { n: all.length })],
        ],
        where.checks || "",
        (value) => address({ ...where, checks: value }),
      ),
    ),
    shown.length ? el("ul.checks", {}, shown.map(checkItem)) : el("p.muted", {}, t("all_passed")),
  );
}

function checkItem({ id, letter, seconds, told }) {
  const line = [glyph(SHAPES[letter]), code(id), el("span.muted", {}, ` ${rungOutcome(letter)} · ${duration(seconds)}`)];
  if (!told) return el("li", {}, line);
  const { known, reason, how, type, message, step, signal, stderr } = told;
  return el(
    "li",
    {},
    line,
    known ? el("p", {}, FAILURE.has(known) ? link(toFailure(known), failureTitle(FAILURE.get(known))) : code(known)) : null,
    reason ? el("p.reason", {}, quoted(reason)) : null,
    message
      ? el(
          "details",
          {},
          el("summary", {}, type ? `${type}` : how),
          pre([message, signal, step, stderr].filter(Boolean).join("\n"), t("evidence")),
        )
      : null,
  );
}

function factsSection(row, run, shared, detail) {
  const target = JSON.parse(shared.texts[run.target]);
  const facts = Object.entries(target)
    .concat(
      run.installed
        ? [
            ["installer", run.installed[0]],
            ["workarounds", run.installed[3].join(", ")],
          ]
        : [],
      [
        ["run", run.run],
        ["suite", run.suite],
      ],
    )
    .filter(([, value]) => value && value !== "-");
  return el(
    "section",
    {},
    el("h2", {}, t("evidence")),
    el(
      "dl.facts",
      {},
      facts.map(([key, value]) => el("div", {}, el("dt", {}, quoted(key)), el("dd", {}, code(value)))),
    ),
    detail.links
      ? el(
          "p",
          {},
          detail.links.map((path) => [link(path, code(path.split("/").pop().replaceAll("%40", "@"))), " "]),
        )
      : null,
  );
}

function resolvedSection(resolved, shared) {
  const versions = shared.texts[resolved.versions];
  return el(
    "section",
    {},
    el("h2", {}, t("resolution")),
    el(
      "p",
      {},
      glyph({ resolves: "resolves", conflicts: "conflicts", "no wheel": "nowheel" }[resolved.verdict] || "unresolved"),
      " ",
      quoted(resolved.reason || t("state_resolves")),
      " ",
      el("span.muted", {}, t("resolution_sub")),
    ),
    resolved.predicted?.length
      ? el(
          "ul.differences",
          {},
          resolved.predicted.map((row) =>
            el(
              "li",
              {},
              t("will_break", { rung: rungWord(row.rung) }),
              " ",
              FAILURE.has(row.id) ? link(toFailure(row.id), failureTitle(FAILURE.get(row.id))) : code(row.id),
              " ",
              el("span.muted", {}, quoted(row.why)),
            ),
          ),
        )
      : null,
    resolved.needs ? el("p", {}, t("needs"), " ", quoted(resolved.needs)) : null,
    resolved.sources_only?.length ? el("p", {}, t("sources_only"), " ", quoted(resolved.sources_only.join(", "))) : null,
    versions ? el("details", {}, el("summary", {}, t("versions")), pre(versions.replaceAll(" ", "\n"), t("versions"))) : null,
  );
}

function historySection(row) {
  const past = D.histories[row];
  if (!past) return el("section", {}, el("h2", {}, t("history")), el("p.muted", {}, ran(row) ? t("one_run") : t("no_run")));
  return el(
    "section",
    {},
    el("h2", {}, t("history")),
    el(
      "ol.history",
      { reversed: true },
      [...past]
        .reverse()
        .map(([run, now, reached, stop, cause]) =>
          el(
            "li",
            {},
            glyph(STATES[now]),
            el("time", { datetime: run.slice(0, 10) }, run.slice(0, 16).replace("T", " ")),
            " ",
            el("b", {}, t(`state_${STATES[now]}`)),
            " ",
            reached >= 0 ? rungWord(RUNGS[reached]) : "",
            stop >= 0 ? ` · ${t("stops_at")} ${rungWord(RUNGS[stop])}` : "",
            cause >= 0 ? [" · ", link(toFailure(D.failures[cause][0]), D.failures[cause][0])] : null,
          ),
        ),
    ),
  );
}
