// Marks: a shape and a word for each standing; the colour only repeats them.
const SVG = "http://www.w3.org/2000/svg";

function glyph(name, kind = "") {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", `glyph g-${name} ${kind}`);
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#glyph-${name}`);
  svg.append(use);
  return svg;
}

// One rung: letter -> shape. A capital is a rung of which some checks passed.
const SHAPES = {
  p: "passed",
  P: "reached",
  k: "known",
  K: "some",
  n: "unverified",
  f: "failed",
  u: "unexpected",
  i: "infrastructure",
  s: "unverified",
  "-": "never",
};
const rungOutcome = (letter) => t(`rung_${{ P: "passed_some", K: "known_some" }[letter] || D.letters[letter].replaceAll(" ", "_")}`);
const rungWord = (rung) => t(`on_${rung}`);

function strip(row) {
  const letters = D.ladders[D.ladder[row]];
  const told = RUNGS.map((rung, number) => (letters[number] === "-" ? "" : `${rungWord(rung)}: ${rungOutcome(letters[number])}`)).filter(
    Boolean,
  );
  return el(
    "span.strip",
    { role: "img", "aria-label": told.join("; ") || t("state_never") },
    [...letters].map((letter, number) => {
      const mark = glyph(SHAPES[letter]);
      mark.append(title(`${rungWord(RUNGS[number])}: ${rungOutcome(letter)}`));
      return mark;
    }),
  );
}

function title(text) {
  const element = document.createElementNS(SVG, "title");
  element.textContent = text;
  return element;
}

// What is said of a cell in a word or two: the rung that it reached, or what else is known of it.
function wordOf(row) {
  const now = state(row);
  if (D.state[row] < RAN) return D.reached[row] >= 0 ? rungWord(RUNGS[D.reached[row]]) : t("nothing");
  return t(`short_${now}`);
}

function standingWord(row) {
  return t(`state_${state(row)}`);
}

function verdictSentence(row) {
  const now = state(row),
    rung = D.reached[row] >= 0 ? rungWord(RUNGS[D.reached[row]]) : "",
    stop = D.stop[row] >= 0 ? rungWord(RUNGS[D.stop[row]]) : "";
  return t(`said_${now}${now === "predicted" && !stop ? "_plain" : ""}`, {
    rung: rung || t("nothing"),
    stop,
    known: D.known[row],
    open: D.open[row],
  });
}
