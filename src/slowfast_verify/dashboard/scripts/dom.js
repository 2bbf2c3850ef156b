// Elements. Every text goes into a text node: nothing that a record says can become markup.
function el(kind, attributes = {}, ...children) {
  const [tag, ...classes] = kind.split(".");
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(" ");
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in PROPERTIES) element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(4).filter((child) => child !== null && child !== undefined && child !== false && child !== ""));
  return element;
}
const PROPERTIES = { checked: 1, value: 1, selected: 1, hidden: 1, open: 1, disabled: 1 };

function fill(parent, ...children) {
  parent.replaceChildren(...children.flat(4).filter((child) => child !== null && child !== undefined && child !== false && child !== ""));
  return parent;
}

// A text of a record: its direction is its own, and never that of what stands around it.
const quoted = (text) => el("bdi", {}, String(text));
const code = (text) => el("code", { dir: "auto" }, String(text));
const pre = (text, label) => el("pre.said", { tabindex: "0", dir: "ltr", role: "group", "aria-label": label }, String(text));

function link(address, ...children) {
  return el("a", { href: address }, ...children);
}

function copyButton(textOf, label) {
  const button = el("button.copy", { type: "button" }, el("span", {}, label || t("copy")));
  button.addEventListener("click", async () => {
    const text = textOf();
    let done = false;
    try {
      await navigator.clipboard.writeText(text);
      done = true;
    } catch {
      done = copyByHand(text);
    }
    fill(button, el("span", {}, done ? t("copied") : t("copy_failed")));
    say(done ? t("copied") : t("copy_failed"));
    setTimeout(() => fill(button, el("span", {}, label || t("copy"))), 2000);
  });
  return button;
}

function copyByHand(text) {
  // from a file some browsers give no clipboard
  const area = el("textarea.away", { value: text, "aria-hidden": "true" });
  document.body.append(area);
  area.select();
  let done = false;
  try {
    done = document.execCommand("copy");
  } catch {
    done = false;
  }
  area.remove();
  return done;
}

function say(text) {
  const live = document.getElementById("live");
  live.textContent = "";
  requestAnimationFrame(() => {
    live.textContent = text;
  });
}

function script(text, label) {
  return el(
    "div.script",
    {},
    el(
      "div.script-head",
      {},
      el("span", {}, label),
      copyButton(() => text),
    ),
    pre(text, label),
  );
}

function segmented(name, label, options, chosen, address) {
  if (options.length < 2) return null;
  return el(
    "nav.segmented",
    { "aria-label": label },
    el("span.segmented-label", {}, label),
    el(
      "span.segments",
      {},
      options.map(([value, word, mark]) =>
        el(
          "a.segment",
          { href: address(value), "aria-current": value === chosen ? "true" : null, "data-keep": `${name}-${value}` },
          mark || "",
          word,
        ),
      ),
    ),
  );
}

// A table of tiles, which scrolls by itself: a name for each column, a row for each of `rows` ({ class, name, tiles }).
function tileTable({ kind, titledBy, caption, head, corner, columns, rows }) {
  const named = columns.map((name) => el("th", { scope: "col" }, name));
  return el(
    "div.scroll",
    { tabindex: "0", role: "group", "aria-labelledby": titledBy },
    el(
      kind,
      {},
      el("caption.away", {}, caption),
      el(
        "colgroup",
        {},
        el(head),
        columns.map(() => el("col")),
      ),
      el("thead", {}, el("tr", {}, corner, named)),
      el(
        "tbody",
        {},
        rows.map((row) =>
          el(
            "tr",
            { class: row.class },
            el("th", { scope: "row" }, row.name),
            row.tiles.map((tile) => el("td", {}, tile)),
          ),
        ),
      ),
    ),
  );
}
