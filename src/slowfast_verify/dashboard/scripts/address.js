// Every state has an address: what stands behind # is `key=value&key=value`, with values in percent code; a plus stays a plus.
const KEYS = ["cell", "failure", "failures", "machine", "changes"];

function parse(hash) {
  const found = {};
  for (const part of hash.replace(/^#/, "").split("&")) {
    const [, key, value] = /^([\w-]+)=?(.*)$/s.exec(part) || [];
    if (!key) continue;
    try {
      found[key] = decodeURIComponent(value);
    } catch {
      found[key] = value;
    }
  }
  return found;
}

function encoded(value) {
  return encodeURIComponent(value).replace(/%(2F|2C|3A|40|2B)/g, (all) => decodeURIComponent(all));
}

function address(parts) {
  const text = Object.entries(parts)
    .filter(([, value]) => value !== "" && value !== null && value !== undefined)
    .map(([key, value]) => (value === true ? key : `${key}=${encoded(value)}`))
    .join("&");
  return `#${text}`;
}

const toCell = (row) => address({ cell: nameOf(row) });
const toFailure = (id) => address({ failure: id });
const toMachine = (machine, python, more = {}) => address({ machine: `${machine}/${python}`, ...more });

function go(target) {
  if (location.hash === target || (target === "#" && !location.hash)) route();
  else location.hash = target;
}
