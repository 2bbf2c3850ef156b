// The known failures: the list, and one page for each, whose address is #failure=ID for good.
function cellsByFailure() {
  const found = D.failures.map(() => []);
  for (let row = 0; row < N; row += 1) for (const number of D.sets[D.fails[row]]) found[number].push(row);
  return found;
}
let byFailure = null;
const cellsOf = (number) => (byFailure ||= cellsByFailure())[number];

function failuresPage(where) {
  const box = el("input", {
    type: "search",
    value: where.find || "",
    id: "find",
    autocomplete: "off",
    spellcheck: "false",
    oninput: () => {
      history.replaceState(null, "", address({ failures: true, find: box.value, rung: where.rung }));
      draw();
    },
  });
  const out = el("div");
  const count = el("p.muted", {}, "");
  function draw() {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = D.failures
      .map((head, number) => [head, number])
      .filter(
        ([[id, told, rung, chinese]]) => (!where.rung || rung === where.rung) && words.every((word) => `${id} ${told} ${chinese}`.toLowerCase().includes(word)),
      );
    found.sort((a, b) => cellsOf(b[1]).length - cellsOf(a[1]).length || a[0][0].localeCompare(b[0][0]));
    count.textContent = t("n_failures", { n: found.length });
    say(count.textContent);
    fill(
      out,
      el(
        "ul.failures",
        {},
        found.map(([[id, , rung], number]) =>
          el(
            "li",
            {},
            link(toFailure(id), failureTitle(number)),
            el(
              "span.failure-meta",
              {},
              code(id),
              el("span.tag", {}, rungWord(rung)),
              cellsOf(number).length ? el("span.tag.met", {}, t("n_cells", { n: cellsOf(number).length })) : null,
            ),
          ),
        ),
      ),
    );
  }
  const page = el(
    "div.page",
    {},
    el("h1", { tabindex: "-1" }, t("nav_failures")),
    el("p.lead", {}, t("failures_sub")),
    el("p.search", {}, el("label", { for: "find" }, t("find")), box),
    segmented(
      "rung",
      t("rung"),
      [["", t("every")], ...RUNGS.filter((rung) => D.failures.some(([, , own]) => own === rung)).map((rung) => [rung, rungWord(rung)])],
      where.rung || "",
      (value) => address({ failures: true, find: where.find, rung: value }),
    ),
    count,
    out,
  );
  queueMicrotask(draw);
  return page;
}

function failurePage(where) {
  const number = FAILURE.has(where.failure) ? FAILURE.get(where.failure) : -1;
  if (number < 0) return missing(t("no_such_failure"), where.failure);
  const [id, , rung] = D.failures[number];
  const page = el(
    "article.page",
    {},
    el("p.crumbs", {}, link("#", t("nav_front")), " › ", link(address({ failures: true }), t("nav_failures"))),
    el("h1", { tabindex: "-1" }, failureTitle(number)),
    el("p.failure-meta", {}, code(id), el("span.tag", {}, rungWord(rung))),
    el("div", { id: "detail", "aria-busy": "true" }, el("p.muted", {}, t("unpacking"))),
    cellsMet(number),
  );
  unpack("failures")
    .then((pages) => {
      const box = page.querySelector("#detail");
      box.removeAttribute("aria-busy");
      fill(box, failureBody(id, pages[number]));
    })
    .catch(() => fill(page.querySelector("#detail"), el("p.warning", {}, t("cannot_unpack"))));
  return page;
}

function cellsMet(number) {
  const rows = [...cellsOf(number)].sort((a, b) => ran(b) - ran(a) || better(a, b));
  const met = rows.filter(ran),
    foretold = rows.filter((row) => !ran(row));
  return [
    met.length ? el("section", {}, el("h2", { id: "met" }, t("met_in", { n: met.length })), cellTable(met.slice(0, 60), "met")) : null,
    foretold.length
      ? el(
          "section",
          {},
          el("h2", { id: "foretold" }, t("foretold_in", { n: foretold.length })),
          cellTable(foretold.slice(0, 60), "foretold"),
        )
      : null,
  ];
}

function failureBody(id, page) {
  const told = (english, chinese) => (language === "zh" && chinese ? chinese : english);
  return [
    el(
      "section",
      {},
      el("h2", {}, t("why")),
      el("p.cause-text", {}, told(page.cause, page.cause_zh)),
      page.when ? el("p.muted", {}, t("applies_to"), " ", page.when.join(", ")) : null,
    ),
    el(
      "section",
      {},
      el("h2", {}, t("what_mends")),
      page.fix?.length
        ? el(
            "ol.fixes",
            {},
            page.fix.map(([text, only, why, textZh, whyZh]) =>
              el(
                "li",
                {},
                only ? el("span.tag", {}, only) : null,
                stepShown(told(text, textZh)),
                why ? el("p.muted", {}, told(why, whyZh)) : null,
              ),
            ),
          )
        : null,
      el("p.tried", {}, glyph(page.carried_out ? "passed" : "unverified"), told(page.tried, page.tried_zh)),
    ),
    page.dead_ends?.length
      ? el(
          "section",
          {},
          el("h2", {}, t("what_does_not")),
          el(
            "ul.plain",
            {},
            page.dead_ends.map(([tried, why, triedZh, whyZh]) => el("li", {}, el("b", {}, told(tried, triedZh)), ": ", told(why, whyZh))),
          ),
        )
      : null,
    page.unsure ? el("section", {}, el("h2", {}, t("unsure")), el("p", {}, told(page.unsure, page.unsure_zh))) : null,
    page.example
      ? el(
          "section",
          {},
          el("h2", {}, t("example")),
          pre(page.example[0], t("example")),
          el("p.muted", {}, page.example[2] ? t("by_us") : t("reported"), " ", page.example[1]),
        )
      : null,
    page.seen_in?.length
      ? el(
          "section",
          {},
          el("h2", {}, t("seen_in")),
          el(
            "ul.inline",
            {},
            page.seen_in.map((thread) => el("li", {}, threadLink(thread))),
          ),
        )
      : null,
    page.like?.length
      ? el(
          "section",
          {},
          el("h2", {}, t("alike")),
          el(
            "ul.plain",
            {},
            page.like
              .filter((other) => FAILURE.has(other))
              .map((other) => el("li", {}, link(toFailure(other), failureTitle(FAILURE.get(other))))),
          ),
        )
      : null,
    el(
      "section",
      {},
      el("h2", {}, t("on_your_machine")),
      script(`slowfast-verify explain ${id}\nslowfast-verify doctor --dry-run\n`, t("command")),
    ),
  ];
}

const stepShown = (text) => (isCommand(text) ? script(text, t("command")) : el("p", {}, text));

const isCommand = (text) => /^(python |uv |pip |conda |apt|export |unset |set |\$env:|Remove-Item |git |nox |slowfast-verify )/.test(text);

function threadLink(thread) {
  const found = /^([\w.-]+\/[\w.-]+)#(\d+)$/.exec(thread);
  return found ? el("a", { href: `https://github.com/${found[1]}/issues/${found[2]}`, rel: "noreferrer" }, thread) : quoted(thread);
}
