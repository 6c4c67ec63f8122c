"use strict";
// Every text of a model enters the page through textContent, so that none of it can become markup.
(() => {
  const PAGE = 50;
  const byId = (id) => document.getElementById(id);
  const fields = { text: byId("f-text"), model: byId("f-model"), tool: byId("f-tool"), level: byId("f-level"),
    outcome: byId("f-outcome"), kind: byId("f-kind"), flip: byId("f-flip") };
  const list = byId("list"), count = byId("count"), more = byId("more"), form = byId("filters");
  const LEVELS = ["detection", "parsing", "tool", "parameters"];
  const fillers = new WeakMap();
  let data, found = [], shown = 0, exact = "", haystacks = [];

  const make = (tag, className, text) => {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  };

  async function unpack() {
    const bytes = Uint8Array.from(atob(byId("data").textContent), (char) => char.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return JSON.parse(await new Response(stream).text());
  }

  function fill(select, pairs) {
    for (const [value, text] of pairs) {
      const option = make("option", "", text);
      option.value = value;
      select.append(option);
    }
  }

  function prepare() {
    fill(fields.model, data.models.map((label) => [label, label]));
    const tools = new Set(data.cases.flatMap((entry) => entry[3]));
    fill(fields.tool, [...tools].sort().map((tool) => [tool, tool]));
    const kinds = new Set(data.records.map((record) => record[5]).filter(Boolean));
    fill(fields.kind, Object.keys(data.kinds).filter((kind) => kinds.has(kind)).map((kind) => [kind, data.kinds[kind]]));
    fill(fields.flip, data.flips.flatMap((flip, number) => [[`${number}-lost`, `lost: ${flip.name}`], [`${number}-gained`, `gained: ${flip.name}`]]));
    fields.flip.parentElement.hidden = data.flips.length === 0;
    haystacks = new Array(data.records.length);
  }

  function haystack(number) {
    if (haystacks[number] === undefined) {
      const record = data.records[number], entry = data.cases[record[1]];
      haystacks[number] = [entry[0], entry[1], record[2], record[7] || "", entry[4].join(" ")].join("\n").toLowerCase();
    }
    return haystacks[number];
  }

  function matcher() {
    const value = Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.value]));
    const words = value.text.toLowerCase().split(/\s+/).filter(Boolean);
    const model = data.models.indexOf(value.model);
    let cases = null, sides = null;
    if (value.flip) {
      const [number, word] = value.flip.split("-");
      cases = new Set(data.flips[number][word]);
      sides = new Set(data.flips[number].models);
    }
    const level = value.level === "" ? -1 : Number(value.level);
    return (record, number) => {
      if (value.model && record[0] !== model) return false;
      if (exact && data.cases[record[1]][0] !== exact) return false;
      if (value.tool && !data.cases[record[1]][3].includes(value.tool)) return false;
      if (value.kind && record[5] !== value.kind) return false;
      if (cases && !(cases.has(record[1]) && sides.has(record[0]))) return false;
      if (value.outcome && !cases && !exact) {
        const letters = level < 0 ? record[4] : record[4][level];
        const wrong = letters.includes("n");
        if (letters === "-" || wrong !== (value.outcome === "n")) return false;
      } else if (level >= 0 && record[4][level] === "-") return false;
      return words.every((word) => haystack(number).includes(word));
    };
  }

  function apply() {
    if (!data) return;
    const fits = matcher();
    found = [];
    data.records.forEach((record, number) => { if (fits(record, number)) found.push(number); });
    if (fields.flip.value || exact) found.sort((a, b) => data.records[a][1] - data.records[b][1] || a - b);
    list.replaceChildren();
    shown = 0;
    count.textContent = `${found.length.toLocaleString("en")} of ${data.records.length.toLocaleString("en")} answers` +
      (exact ? `, case ${exact}` : "");
    extend();
  }

  function extend() {
    const next = found.slice(shown, shown + PAGE);
    list.append(...next.map(item));
    shown += next.length;
    more.hidden = shown >= found.length;
    more.textContent = `Show ${Math.min(PAGE, found.length - shown)} more of ${(found.length - shown).toLocaleString("en")}`;
    if (exact && found.length <= 8) {
      for (const element of list.children) {
        fillers.get(element)();  // now, not at the event, so that the page has its height when it is scrolled
        element.open = true;
      }
    }
  }

  function item(number) {
    const record = data.records[number], entry = data.cases[record[1]];
    const box = make("details", "item"), line = make("summary");
    const label = make("span", "label"), dot = make("i", `dot series-${record[0] % 6}`);
    label.append(dot, data.models[record[0]]);
    const verdict = record[5] ? data.kinds[record[5]] + (record[6] ? ` (${record[6]})` : "") : "right";
    line.append(make("span", "id", entry[0]), label, make("bdi", "prompt", entry[1].slice(0, 300)),
      make("span", record[5] ? "verdict" : "verdict y", verdict));
    box.append(line);
    const fill = () => { if (box.children.length === 1) box.append(body(record, entry)); };
    fillers.set(box, fill);
    box.addEventListener("toggle", () => { if (box.open) fill(); });
    return box;
  }

  function body(record, entry) {
    const box = make("div", "body"), levels = make("p", "lv");
    LEVELS.forEach((name, number) => {
      const letter = record[4][number], part = make("span", "", `${name} `);
      part.append(make("b", letter, letter === "y" ? "right" : letter === "n" ? "wrong" : "not asked"));
      levels.append(part);
    });
    const parts = make("dl", "answer");
    const put = (name, text, className) => {
      const row = make("div"), value = make("dd"), block = make("pre", className);
      block.append(make("bdi", "", text));
      value.append(block);
      row.append(make("dt", "", name), value);
      parts.append(row);
    };
    put("Prompt", entry[1], "");
    put("Raw output", record[2] || "(nothing)", record[5] ? "bad" : "good");
    entry[2].forEach((text, number) => put(number ? "or" : "Expected", text, "good"));
    put("Got", record[3] || "no call that could be read", "");
    if (record[7]) put("Why it counts as wrong", record[7], "");
    if (entry[4].length) parts.append(make("p", "note", `tags: ${entry[4].join(", ")}`));
    box.append(levels, parts);
    return box;
  }

  function follow() {
    const hash = location.hash.slice(1);
    if (!hash.includes("=") || !data) return;
    form.reset();
    exact = "";
    for (const [name, value] of new URLSearchParams(hash)) {
      if (name === "case") exact = value;
      else if (fields[name]) fields[name].value = value;
    }
    if (exact) fields.model.value = "";
    apply();
    byId("cases").scrollIntoView({ behavior: "instant" });
    count.focus({ preventScroll: true });
  }

  let timer = 0;
  form.addEventListener("input", () => { exact = ""; clearTimeout(timer); timer = setTimeout(apply, 80); });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => { exact = ""; setTimeout(apply, 0); });
  more.addEventListener("click", () => {
    const first = shown;
    extend();
    list.children[first]?.firstElementChild.focus();
  });
  addEventListener("hashchange", follow);
  // A second click on the link that is already in the address bar fires no hashchange.
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.('a[href^="#"]');
    if (link && link.getAttribute("href") === location.hash) follow();
  });
  unpack().then((unpacked) => {
    data = unpacked;
    prepare();
    apply();
    follow();
    document.documentElement.dataset.ready = "yes";
  }).catch((error) => { count.textContent = `The cases could not be unpacked: ${error.message}`; });
})();
