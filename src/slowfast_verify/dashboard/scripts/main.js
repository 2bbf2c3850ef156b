// Which page an address means; languages, theme, focus.
let drawn = "";

function pageOf(where) {
  if ("cell" in where) return ["cell", cellPage, where.cell];
  if ("failure" in where) return ["failure", failurePage, where.failure];
  if ("failures" in where) return ["failures", failuresPage, t("nav_failures")];
  if ("machine" in where) return ["machine", machinePage, where.machine];
  if ("changes" in where) return ["changes", changesPage, t("nav_changes")];
  return ["front", frontPage, ""];
}

function route() {
  const where = parse(location.hash);
  const wanted = languageOf(where.lang);
  if (wanted !== language || !drawn) {
    language = wanted;
    frame();
    drawn = "";
  }
  const [name, make, what] = pageOf(where);
  const main = document.getElementById("main");
  const key = name === "front" ? "front" : JSON.stringify(where);
  document.title = what ? `${what} · slowfast-verify` : `slowfast-verify: ${t("question")}`;
  for (const item of document.querySelectorAll("header nav a[data-page]")) {
    if (item.dataset.page === name) item.setAttribute("aria-current", "page");
    else item.removeAttribute("aria-current");
  }
  if (drawn === "front" && name === "front") {
    const kept = document.activeElement?.dataset?.keep;
    refresh(where); // the filters stay where they are, and so does the focus
    if (kept) document.querySelector(`[data-keep="${CSS.escape(kept)}"]`)?.focus();
  } else {
    const first = drawn === "";
    const same = !first && drawn.split("|")[0] === name;
    const kept = document.activeElement?.dataset?.keep;
    fill(main, make(where));
    const again = same && kept && main.querySelector(`[data-keep="${CSS.escape(kept)}"]`);
    if (again) again.focus();
    else if (!first) {
      scrollTo(0, 0);
      main.querySelector("h1")?.focus({ preventScroll: true });
    }
  }
  if (focusNext) {
    document.getElementById(focusNext)?.focus();
    document.getElementById(focusNext)?.scrollIntoView({ block: "start" });
    focusNext = "";
  }
  drawn = name === "front" ? "front" : `${name}|${key}`;
}

// The parts around the page, in the reader's language.
function frame() {
  document.documentElement.lang = language === "zh" ? "zh-Hans" : "en";
  for (const element of document.querySelectorAll("[data-word]")) element.textContent = t(element.dataset.word);
  for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", t(element.dataset.label));
  document.getElementById("made").textContent = `slowfast-verify ${D.version} · ${t("made_on", { day: day(D.made) })}`;
}

function theme(wanted) {
  if (wanted) document.documentElement.dataset.theme = wanted;
  const dark = wanted ? wanted === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const button = document.getElementById("theme");
  button.setAttribute("aria-pressed", String(dark));
  button.onclick = () => {
    const next = dark ? "light" : "dark";
    remember("theme", next);
    theme(next);
  };
}

document.getElementById("language").addEventListener("click", () => {
  const next = language === "en" ? "zh" : "en";
  chosenNow = next;
  remember("language", next);
  const where = parse(location.hash);
  drawn = "";
  if (where.lang) {
    delete where.lang;
    go(address(where));
  } else route();
});
addEventListener("hashchange", route);
theme(remembered("theme"));
route();
