// Words in the reader's language. D.words: {key: {en, zh}}; "one||many" where a number decides; {name} is filled in.
const D = JSON.parse(document.getElementById("front").textContent);
const LANGUAGES = ["en", "zh"];
let language = "en",
  chosenNow = "";

function remembered(key) {
  try {
    return localStorage.getItem(`slowfast-verify.${key}`);
  } catch {
    return null;
  } // a browser may refuse it for files
}

function remember(key, value) {
  try {
    localStorage.setItem(`slowfast-verify.${key}`, value);
  } catch {
    /* it is a convenience */
  }
}

function languageOf(wish) {
  const said = [wish, chosenNow, remembered("language"), ...(navigator.languages || [navigator.language || "en"])];
  for (const tag of said) {
    const short = String(tag || "")
      .slice(0, 2)
      .toLowerCase();
    if (LANGUAGES.includes(short)) return short;
  }
  return "en";
}

function t(key, values = {}) {
  const row = D.words[key];
  if (!row) throw new Error(`no word ${key}`);
  let text = row[language];
  if (text.includes("||")) text = text.split("||")[values.n === 1 ? 0 : 1];
  return text.replace(/\{(\w+)\}/g, (all, name) => (name in values ? String(values[name]) : all));
}

const has = (key) => Object.hasOwn(D.words, key);
const either = (key, plain) => (has(key) ? t(key) : plain);

function day(seconds) {
  return new Date(seconds * 1000).toISOString().slice(0, 10);
}

function age(seconds) {
  if (!seconds) return "";
  const days = Math.max(0, Math.floor((Date.now() / 1000 - seconds) / 86400));
  return days === 0 ? t("today") : t("days_ago", { n: days });
}

const STALE = 30 * 86400;
const isStale = (seconds) => seconds > 0 && Date.now() / 1000 - seconds > STALE;

function duration(seconds) {
  if (seconds >= 100) return t("minutes", { n: (seconds / 60).toFixed(1) });
  return t("seconds", { n: seconds >= 10 ? seconds.toFixed(0) : seconds.toFixed(seconds >= 1 ? 1 : 2) });
}
