// One machine: what to type on it. The best cell of each subject, and the commands at once.
function machinePage(where) {
  const [os, arch, maker, python] = where.machine.split("/");
  const machine = `${os}/${arch}/${maker}`;
  const rows = BY_MACHINE.get(`${machine}/${python}`);
  if (!rows) return missing(t("no_such_cell"), where.machine);
  const bySubject = new Map();
  for (const row of rows) {
    const key = SUBJECTS.keys[SUBJECTS.of[row]];
    if (!bySubject.has(key)) bySubject.set(key, []);
    bySubject.get(key).push(row);
  }
  const subjects = [...bySubject.keys()].sort((a, b) => place(SUBJECT_ORDER, a) - place(SUBJECT_ORDER, b));
  const subject = bySubject.has(where.subject) ? where.subject : SUBJECTS.keys[SUBJECTS.of[best(rows)]];
  const installers = [...new Set(bySubject.get(subject).map((row) => at("installer", row)))].sort(
    (a, b) => place(INSTALLERS, a) - place(INSTALLERS, b),
  );
  const taken = best(bySubject.get(subject).filter((row) => !where.installer || at("installer", row) === where.installer));
  const first = taken < 0 ? best(bySubject.get(subject)) : taken;
  const builds = bySubject
    .get(subject)
    .filter((one) => ["torch", "installer", "runner"].every((axis) => OF[axis][one] === OF[axis][first]));
  const row = builds.find((one) => at("accelerator", one) === where.build) ?? first;
  const same = { machine: where.machine, subject: where.subject, installer: where.installer, build: where.build, form: where.form };
  const page = el(
    "article.page.machine-page",
    {},
    el("p.crumbs", {}, link("#", t("nav_front")), " › ", t("your_machine")),
    el("h1", { tabindex: "-1" }, `${machineWord(machine)} · Python ${python}`),
    segmented(
      "subject",
      t("axis_subject"),
      subjects.map((key) => [key, subjectWord(...key.split("@")), glyph(state(best(bySubject.get(key))))]),
      subject,
      (value) => address({ ...same, subject: value }),
    ),
    segmented(
      "installer",
      t("axis_installer"),
      installers.map((name) => [name, name]),
      at("installer", row),
      (value) => address({ ...same, subject, installer: value }),
    ),
    segmented(
      "build",
      t("build"),
      builds.map((one) => [at("accelerator", one), at("accelerator", one)]).sort((a, b) => byVersion(a[0], b[0])),
      at("accelerator", row),
      (value) => address({ ...same, subject, build: value }),
    ),
    el("p.chosen", {}, t(ran(row) ? "chosen" : "advised"), " ", link(toCell(row), cellWords(row).join(" · "))),
    verdictBox(row),
    nearestTo(row),
    el("div", { id: "detail", "aria-busy": "true" }, el("p.muted", {}, t("unpacking"))),
    el(
      "section",
      {},
      el("h2", { id: "others" }, t("other_cells", { n: rows.length })),
      cellTable([...rows].sort(better).slice(0, 12), "others"),
      rows.length > 12
        ? el(
            "p",
            {},
            link(
              address({ os, arch, python, accelerator: [...new Set(rows.map((one) => at("accelerator", one)))].join(",") }),
              t("show_all_cells"),
            ),
          )
        : null,
    ),
  );
  detailOf(row)
    .then(({ detail, shared }) => {
      const box = page.querySelector("#detail");
      box.removeAttribute("aria-busy");
      fill(
        box,
        whatToType(row, detail, shared, where, (form) => address({ ...same, form })),
        known(row),
      );
    })
    .catch(() => fill(page.querySelector("#detail"), el("p.warning", {}, t("cannot_unpack"))));
  return page;
}

// What somebody will meet all the same: known failures of the chosen cell.
function known(row) {
  const ids = D.sets[D.fails[row]];
  if (!ids.length) return null;
  return el(
    "section",
    {},
    el("h2", {}, t("will_meet")),
    el(
      "ul.plain",
      {},
      ids.map((number) =>
        el(
          "li",
          {},
          link(toFailure(D.failures[number][0]), failureTitle(number)),
          " ",
          el("span.muted", {}, rungWord(D.failures[number][2])),
        ),
      ),
    ),
  );
}

function nearestTo(row) {
  const near = ran(row) ? -1 : nearestRan(row);
  if (near < 0) return null;
  return el(
    "p.nearest",
    {},
    t("nearest"),
    " ",
    link(toCell(near), subjectWord(at("subject", near), at("revision", near)), " · ", cellWords(near).join(" · ")),
  );
}
