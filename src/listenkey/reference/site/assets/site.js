// What the pages have beyond reading: copying, a remembered language and theme, search. All of them work without it.
"use strict";

const root = document.body.dataset.root;

function remembered(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

function remember(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    // It holds for this page.
  }
}

// Copying ----------------------------------------------------------------------------------------------

async function copyText(text) {
  if (navigator.clipboard && window.isSecureContext) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // A page from a folder may not be allowed to: the older way is.
    }
  }
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "unseen";
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}

function addCopyButtons() {
  for (const pre of document.querySelectorAll("pre.code")) {
    const holder = document.createElement("div");
    holder.className = "copyable";
    pre.replaceWith(holder);
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      button.textContent = (await copyText(pre.textContent)) ? "Copied" : "Press Ctrl+C";
      setTimeout(() => (button.textContent = "Copy"), 2000);
    });
    holder.append(pre, button);
  }
}

// Boxes that scroll by themselves can be reached and scrolled with the keyboard.
function letScrollersFocus() {
  for (const box of document.querySelectorAll("pre.code, .scroll")) {
    const scrolls = box.scrollWidth > box.clientWidth + 1 || box.scrollHeight > box.clientHeight + 1;
    box.toggleAttribute("tabindex", scrolls);
    if (!scrolls) continue;
    box.tabIndex = 0;
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", box.matches("pre") ? "Code, scrolls" : "Table, scrolls");
  }
}

// Languages --------------------------------------------------------------------------------------------

function rememberLanguage() {
  const radios = [...document.querySelectorAll(".languages input")];
  const same = radios.find((radio) => radio.value === remembered(`listenkey-${radio.name}`));
  if (same) {
    same.checked = true;
    const folded = same.closest("details");
    if (folded) folded.open = true;
  }
  for (const radio of radios) {
    radio.addEventListener("change", () => {
      remember(`listenkey-${radio.name}`, radio.value);
      letScrollersFocus();
    });
  }
}

// Theme ------------------------------------------------------------------------------------------------

function offerThemes() {
  const button = document.querySelector(".theme");
  const isDark = () => {
    const chosen = document.documentElement.dataset.theme;
    return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  };
  const tell = () => button.setAttribute("aria-pressed", String(isDark()));
  button.hidden = false;
  button.querySelector("span").textContent = "Dark";
  button.addEventListener("click", () => {
    const next = isDark() ? "light" : "dark";
    document.documentElement.dataset.theme = next;
    remember("listenkey-theme", next);
    tell();
  });
  tell();
}

// Search -----------------------------------------------------------------------------------------------

const MOST = 12;

function loadIndex() {
  if (!loadIndex.loading) {
    loadIndex.loading = new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = `${root}assets/index.js`;
      script.onload = () => resolve(window.listenkeyIndex);
      script.onerror = reject;
      document.head.append(script);
    });
  }
  return loadIndex.loading;
}

// How well a word fits a text: at its start, at the start of a word in it, inside it, or not at all.
function fit(word, text) {
  const at = text.indexOf(word);
  if (at < 0) return 0;
  if (at === 0) return text.length === word.length ? 5 : 4;
  return /[\s"'`/.$({:_-]/.test(text[at - 1]) ? 3 : 1;
}

function score([title, where, address, more], words) {
  let sum = 0;
  for (const word of words) {
    const best = Math.max(fit(word, title.toLowerCase()) * 4, fit(word, where.toLowerCase()) * 2, fit(word, more.toLowerCase()));
    if (!best) return 0;
    sum += best;
  }
  // Pages come before their rows, and what is near the page that is open before what is elsewhere.
  return sum + (address.includes("#") ? 0 : 3) + (folderOf(address) === document.body.dataset.folder ? 2 : 0);
}

function folderOf(address) {
  return address.includes("/") ? address.slice(0, address.indexOf("/")) : "";
}

// An error that each call of a product knows is one hit a product.
function oneOfAKind() {
  const seen = new Set();
  return ([title, , address]) => {
    const kind = `${folderOf(address)} ${title}`;
    return !seen.has(kind) && seen.add(kind);
  };
}

function find(index, text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return [];
  return index
    .map((entry, place) => ({ entry, place, score: score(entry, words) }))
    .filter((hit) => hit.score)
    .sort((a, b) => b.score - a.score || a.place - b.place)
    .map((hit) => hit.entry)
    .filter(oneOfAKind())
    .slice(0, MOST);
}

function offerSearch() {
  const box = document.querySelector(".search");
  const input = box.querySelector("input");
  const list = box.querySelector("#found");
  const count = box.querySelector("#found-count");
  let marked = -1;

  function mark(place) {
    const options = [...list.children];
    marked = options.length ? (place + options.length) % options.length : -1;
    options.forEach((option, at) => option.setAttribute("aria-selected", String(at === marked)));
    if (marked < 0) return input.removeAttribute("aria-activedescendant");
    input.setAttribute("aria-activedescendant", options[marked].id);
    options[marked].scrollIntoView({ block: "nearest" });
  }

  function show(entries, text) {
    list.replaceChildren(
      ...entries.map(([title, where, address], at) => {
        const link = document.createElement("a");
        link.id = `found-${at}`;
        link.setAttribute("role", "option");
        link.href = root + address;
        link.tabIndex = -1;
        const name = document.createElement("span");
        name.textContent = title;
        const place = document.createElement("small");
        place.textContent = where;
        link.append(name, place);
        return link;
      }),
    );
    const open = entries.length > 0;
    list.hidden = !open;
    input.setAttribute("aria-expanded", String(open));
    count.textContent = text ? `${entries.length} found` : "";
    mark(open ? 0 : -1);
  }

  async function update() {
    const text = input.value;
    const index = await loadIndex();
    if (text === input.value) show(find(index, text), text);
  }

  box.hidden = false;
  input.addEventListener("focus", loadIndex, { once: true });
  input.addEventListener("input", update);
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      mark(marked + (event.key === "ArrowDown" ? 1 : -1));
    } else if (event.key === "Enter" && marked >= 0) {
      location.href = list.children[marked].href;
      show([], "");
    } else if (event.key === "Escape") {
      input.value = "";
      show([], "");
    }
  });
  document.addEventListener("click", (event) => {
    if (!box.contains(event.target) || event.target.closest("#found a")) show([], "");
  });
  document.addEventListener("keydown", (event) => {
    const writes = event.target.closest("input, textarea, select");
    if (event.key !== "/" || writes || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    input.focus();
  });
}

addCopyButtons();
rememberLanguage();
letScrollersFocus();
addEventListener("resize", letScrollersFocus);
offerThemes();
offerSearch();
