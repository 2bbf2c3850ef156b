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

// The ladder of a row as one small picture, told in words to whoever does not see it. Rows share few ladders: each is drawn once and copied.
const strips = new Map();
function strip(row) {
  const key = `${language} ${D.ladder[row]}`;
  if (!strips.has(key)) strips.set(key, drawnStrip(D.ladders[D.ladder[row]]));
  return strips.get(key).cloneNode(true);
}

function drawnStrip(letters) {
  const told = RUNGS.map((rung, number) => (letters[number] === "-" ? "" : `${rungWord(rung)}: ${rungOutcome(letters[number])}`));
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "strip");
  svg.setAttribute("viewBox", `0 0 ${18 * RUNGS.length} 16`);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", told.filter(Boolean).join("; ") || t("state_never"));
  [...letters].forEach((letter, number) => {
    const use = document.createElementNS(SVG, "use");
    use.setAttribute("href", `#glyph-${SHAPES[letter]}`);
    use.setAttribute("class", `g-${SHAPES[letter]}`);
    for (const [name, value] of [
      ["x", 18 * number],
      ["y", 0],
      ["width", 16],
      ["height", 16],
    ])
      use.setAttribute(name, value);
    svg.append(use);
  });
  return svg;
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
