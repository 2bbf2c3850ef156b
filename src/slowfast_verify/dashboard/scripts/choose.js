// Which of several cells to tell somebody to take: what ran before what was only predicted, native before emulated, today's code first.
const WORTH = [
  "passed",
  "reached",
  "unverified",
  "resolves",
  "never",
  "unresolved",
  "infrastructure",
  "known",
  "predicted",
  "unexpected",
  "failed",
  "conflicts",
  "nowheel",
];
const WORTH_OF = STATES.map((name) => WORTH.indexOf(name));
const INSTALLERS = ["pip", "uv", "conda"];
const SUBJECT_ORDER = D.advise;
const installerPlace = VALUES.installer.map((name) => place(INSTALLERS, name));
const subjectPlace = SUBJECTS.keys.map((name) => place(SUBJECT_ORDER, name));
const torchPlace = [...VALUES.torch].sort((a, b) => byVersion(b, a));
const torchNewness = VALUES.torch.map((version) => torchPlace.indexOf(version));

// How near something ran and reached the top with this torch and this subject: 2 on the same system, 1 on another, 0 nowhere.
const provenKeys = new Set();
const provenKey = (row, near) => `${SUBJECTS.of[row]} ${OF.torch[row]}${near ? ` ${OF.os[row]}` : ""}`;
for (let row = 0; row < N; row += 1) if (D.state[row] < TOP) provenKeys.add(provenKey(row, true)).add(provenKey(row, false));
const PROVEN = Uint8Array.from({ length: N }, (_, row) => provenKeys.has(provenKey(row, true)) + provenKeys.has(provenKey(row, false)));

function better(a, b) {
  // negative: a is the better advice
  return (
    WORTH_OF[D.state[a]] - WORTH_OF[D.state[b]] ||
    D.reached[b] - D.reached[a] ||
    (at("runner", a) !== "native") - (at("runner", b) !== "native") ||
    subjectPlace[SUBJECTS.of[a]] - subjectPlace[SUBJECTS.of[b]] ||
    PROVEN[b] - PROVEN[a] ||
    torchNewness[OF.torch[a]] - torchNewness[OF.torch[b]] ||
    installerPlace[OF.installer[a]] - installerPlace[OF.installer[b]]
  );
}

// All rows, the best advice first, sorted once: whatever a filter leaves is in this order already.
const ORDER = Uint32Array.from({ length: N }, (_, row) => row).sort(better);

function best(rows) {
  let found = -1;
  for (const row of rows) if (found < 0 || better(row, found) < 0) found = row;
  return found;
}

// Of the cells that ran, the one that has most in common with a cell that did not.
function nearestRan(row) {
  let found = -1,
    most = -1;
  for (let other = 0; other < N; other += 1) {
    if (D.state[other] >= TOP || !at("os", other)) continue;
    const same =
      8 * (SUBJECTS.of[other] === SUBJECTS.of[row]) +
      4 * (OF.os[other] === OF.os[row]) +
      2 * (OF.torch[other] === OF.torch[row]) +
      2 * (OF.python[other] === OF.python[row]) +
      (OF.accelerator[other] === OF.accelerator[row]) +
      (at("runner", other) === "native");
    if (same > most || (same === most && better(other, found) < 0)) {
      most = same;
      found = other;
    }
  }
  return found;
}
