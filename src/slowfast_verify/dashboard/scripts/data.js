// The rows: their axes, where they stand, their names. What one page needs beyond that is unpacked when it is asked for.
const N = D.rows;
const VALUES = {};
const OF = {};
for (const [axis, [values, of]] of Object.entries(D.axes)) {
  VALUES[axis] = values;
  OF[axis] = Uint16Array.from(of);
}
const RAN = D.ran,
  JUDGED = D.judged,
  TOP = D.top,
  RUNGS = D.rungs,
  STATES = D.states;
const at = (axis, row) => VALUES[axis][OF[axis][row]];
const state = (row) => STATES[D.state[row]];
const ran = (row) => D.state[row] < RAN;

// Graphics processors by maker: what people know about their machine.
function family(accelerator) {
  if (/^cu\d/.test(accelerator)) return "nvidia";
  if (/^rocm/.test(accelerator)) return "amd";
  if (accelerator === "mps" || accelerator === "metal") return "apple";
  if (accelerator === "xpu") return "intel";
  return accelerator;
}

// A machine is a system, a processor and a maker of graphics processors; a platform is a machine and how the cell ran on it.
function list(keyOf) {
  const keys = [],
    number = new Map(),
    of = new Uint16Array(N);
  for (let row = 0; row < N; row += 1) {
    const key = keyOf(row);
    let found = number.get(key);
    if (found === undefined) {
      found = keys.length;
      number.set(key, found);
      keys.push(key);
    }
    of[row] = found;
  }
  return { keys, of };
}
const MACHINES = list((row) => (at("os", row) ? `${at("os", row)}/${at("arch", row)}/${family(at("accelerator", row))}` : "other"));
const PLATFORMS = list((row) => `${MACHINES.keys[MACHINES.of[row]]}/${at("runner", row)}`);
const SUBJECTS = list((row) => (at("subject", row) ? `${at("subject", row)}@${at("revision", row)}` : ""));

const SYSTEMS = ["linux", "windows", "macos"],
  MAKERS = ["cpu", "nvidia", "apple", "amd", "intel"],
  RUNNERS = ["native", "wine", "qemu", "docker"];
const place = (order, value) => (order.includes(value) ? order.indexOf(value) : order.length);

function byPlatform(a, b) {
  const [x, y] = [a.split("/"), b.split("/")];
  return (
    place(SYSTEMS, x[0]) - place(SYSTEMS, y[0]) ||
    (x[1] || "").localeCompare(y[1] || "") * (x[1] === "x86_64" || y[1] === "x86_64" ? -1 : 1) ||
    place(MAKERS, x[2]) - place(MAKERS, y[2]) ||
    place(RUNNERS, x[3]) - place(RUNNERS, y[3]) ||
    a.localeCompare(b)
  );
}

function byVersion(a, b) {
  const [x, y] = [a, b].map((text) =>
    String(text)
      .split(/[^0-9]+/)
      .map(Number),
  );
  for (let part = 0; part < Math.max(x.length, y.length); part += 1) {
    const difference = (x[part] || 0) - (y[part] || 0);
    if (difference) return difference;
  }
  return String(a).localeCompare(String(b));
}

function nameOf(row) {
  if (Object.hasOwn(D.names, row)) return D.names[row];
  const where = at("arch", row) === "x86_64" ? at("os", row) : `${at("os", row)}-${at("arch", row)}`;
  const runner = at("runner", row) === "native" ? "" : `+${at("runner", row)}`;
  return `${where}-py${at("python", row)}-torch${at("torch", row)}-${at("accelerator", row)}-${at("installer", row)}-${at("subject", row)}@${at("revision", row)}${runner}`;
}

let numbers = null;
function rowOf(name) {
  if (!numbers) {
    numbers = new Map();
    for (let row = 0; row < N; row += 1) numbers.set(nameOf(row), row);
  }
  return numbers.has(name) ? numbers.get(name) : -1;
}

const FAILURE = new Map(D.failures.map(([id], number) => [id, number]));
const failureTitle = (number) => D.failures[number][language === "zh" ? 3 : 1];

// Words for a row's platform. What ran under an emulator is never called by the system's name alone.
function systemWord(os, arch) {
  if (arch === "x86_64") return os === "macos" ? t("macos_intel") : either(`os_${os}`, os);
  return either(`os_${os}_${arch}`, `${either(`os_${os}`, os)} ${arch}`);
}
const makerWord = (maker) => either(`maker_${maker}`, maker.toUpperCase());

function machineWord(key) {
  const [os, arch, maker] = key.split("/");
  return os === "other" || !maker ? t("other_machine") : `${systemWord(os, arch)} · ${makerWord(maker)}`;
}

function platformWord(key) {
  const [os, arch, maker, runner] = key.split("/");
  if (!runner || os === "other") return t("other_machine");
  if (runner === "native") return machineWord(key);
  return `${either(`runner_${runner}_${os}`, `${systemWord(os, arch)}, ${runner}`)} · ${makerWord(maker)}`;
}

function whereWord(row) {
  if (!at("os", row)) return nameOf(row);
  const label = D.labels[D.label[row]];
  if (at("runner", row) === "native") return systemWord(at("os", row), at("arch", row));
  const told = either(`runner_${at("runner", row)}_${at("os", row)}`, at("runner", row));
  return language === "en" && label && label !== "container" ? label : `${told}${/ [\d.]+$/.test(label) ? label.match(/ [\d.]+$/)[0] : ""}`;
}

const subjectWord = (subject, revision) => `${either(`subject_${subject}`, subject)} ${revision}`.trim();

function cellWords(row) {
  if (!at("os", row)) return [nameOf(row)];
  return [
    whereWord(row),
    `Python ${at("python", row)}`,
    `torch ${at("torch", row)}`,
    acceleratorWord(at("accelerator", row)),
    at("installer", row),
  ];
}

function acceleratorWord(value) {
  const maker = family(value);
  return maker === value ? makerWord(maker) : `${makerWord(maker)} ${value}`;
}

// Blocks: deflated JSON, unpacked by the browser itself, also from a file.
const unpacked = new Map();
function unpack(name) {
  if (!unpacked.has(name)) unpacked.set(name, inflate(document.getElementById(`block-${name}`).textContent));
  return unpacked.get(name);
}

async function inflate(text) {
  const packed = atob(text.trim());
  const bytes = Uint8Array.from(packed, (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

async function detailOf(row) {
  const [block, shared] = await Promise.all([unpack(`cells-${Math.floor(row / D.block)}`), unpack("shared")]);
  return { detail: block[row % D.block] || { runs: [] }, shared };
}
