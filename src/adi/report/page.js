// What a report does in the browser: draws its charts, sorts its tables, saves both as files, and keeps the theme.
// `charts` has the specifications by the ids of their figures, `looks` the options of vega-embed for each theme.

const dark = matchMedia("(prefers-color-scheme: dark)");
const root = document.documentElement;
const views = new Map(); // figure → the view that is drawn in it

const make = (tag, attributes, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
};

const lookNow = () => looks[root.dataset.theme || (dark.matches ? "dark" : "light")];

// Charts are drawn once they come near, since a page may have hundreds; those that are drawn follow the theme.
async function draw(figure) {
  const drawing = figure.querySelector(".drawing");
  try {
    views.set(figure, (await vegaEmbed(drawing, charts[figure.id], lookNow())).view);
  } catch (error) {
    drawing.textContent = `No chart: ${error.message}`;
  }
}

function addCharts() {
  const coming = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      coming.unobserve(target);
      draw(target);
    }
  }, { rootMargin: "600px" });
  for (const [id, specification] of Object.entries(charts)) {
    const figure = document.getElementById(id);
    const drawing = make("div", { class: "drawing" });
    drawing.style.minHeight = `${(specification.height || 150) + 60}px`; // so that the page does not jump
    figure.append(drawing, saveButtons(figure.getAttribute("aria-label"), {
      SVG: async () => (await viewOf(figure)).toImageURL("svg"),
      PNG: async () => (await viewOf(figure)).toImageURL("png", 2),
    }));
    coming.observe(figure);
  }
  dark.addEventListener("change", drawAgain);
  addEventListener("beforeprint", () => Object.keys(charts).forEach((id) => draw(document.getElementById(id))));
}

const drawAgain = () => [...views.keys()].forEach(draw);

async function viewOf(figure) {
  if (!views.has(figure)) await draw(figure);
  return views.get(figure);
}

// Buttons that save something under a name; `formats` has a function for each that returns a URL of the content.
function saveButtons(name, formats) {
  const buttons = Object.entries(formats).map(([format, url]) => {
    const button = make("button", { type: "button", "aria-label": `Save as ${format}: ${name}` }, format);
    button.addEventListener("click", async () => {
      const file = `${name.replace(/[^\p{L}\p{N}@]+/gu, "-").replace(/^-|-$/g, "")}.${format.toLowerCase()}`;
      make("a", { href: await url(), download: file }).click();
    });
    return button;
  });
  return make("div", { class: "save" }, ...buttons);
}

function textOf(cell) {
  const copy = cell.cloneNode(true);
  for (const line of copy.querySelectorAll("br")) line.replaceWith(" ");
  return copy.textContent.replace(/\s+/g, " ").trim();
}

// The number that a cell begins with; null for other texts.
function numberOf(text) {
  const match = text.match(/^[+-]?\d[\d,]*(\.\d+)?(e[+-]?\d+)?(?=$|[ %])/);
  return match ? Number(match[0].replaceAll(",", "")) : null;
}

// A cell of a CSV file. A text that a spreadsheet would take for a formula begins with an apostrophe.
function quoted(text) {
  const safe = /^[=@+-]/.test(text) && numberOf(text) === null ? `'${text}` : text;
  return /[",\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function csv(table) {
  const rows = [...table.rows].map((row) =>
    [...row.cells].flatMap((cell) => [textOf(cell), ...Array(cell.colSpan - 1).fill("")]).map(quoted).join(","));
  return URL.createObjectURL(new Blob([`\ufeff${rows.join("\r\n")}\r\n`], { type: "text/csv" }));
}

function addTables() {
  for (const table of document.querySelectorAll(".scroll > table")) {
    const box = table.parentElement;
    box.after(saveButtons(box.getAttribute("aria-label"), { CSV: () => csv(table) }));
    if (table.tBodies[0].rows.length > 1) addSorting(table);
  }
}

// A button in each heading: once for one direction, again for the other, a third time for the first order.
function addSorting(table) {
  const body = table.tBodies[0];
  const first = [...body.rows];
  const heads = [...table.tHead.rows].at(-1).cells;
  [...heads].forEach((head, column) => {
    const texts = new Map(first.map((row) => [row, textOf(row.cells[column])]));
    const known = first.filter((row) => !["", "–"].includes(texts.get(row)));
    const numeric = known.length > 0 && known.every((row) => numberOf(texts.get(row)) !== null);
    const compare = numeric
      ? (a, b) => numberOf(texts.get(a)) - numberOf(texts.get(b))
      : (a, b) => texts.get(a).localeCompare(texts.get(b), undefined, { numeric: true });
    const steps = numeric ? ["descending", "ascending", "none"] : ["ascending", "descending", "none"];
    const button = make("button", { type: "button", class: "sort" }, ...head.childNodes);
    head.append(button);
    head.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      const next = steps[(steps.indexOf(head.getAttribute("aria-sort")) + 1) % steps.length];
      for (const other of heads) other.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", next);
      const sorted = [...known].sort(next === "descending" ? (a, b) => compare(b, a) : compare);
      const unknown = first.filter((row) => !known.includes(row));
      body.append(...(next === "none" ? first : [...sorted, ...unknown]));
    });
  });
}

function addTheme(bar) {
  const select = make("select", { id: "theme" }, ...[["", "System"], ["light", "Light"], ["dark", "Dark"]].map(
    ([value, name]) => make("option", { value }, name)));
  select.value = root.dataset.theme || "";
  select.addEventListener("change", () => {
    if (select.value) root.dataset.theme = select.value;
    else delete root.dataset.theme;
    remember(select.value);
    drawAgain();
  });
  bar.append(make("label", {}, "Theme ", select));
}

function addContents(bar) {
  if (document.querySelector('header a[href^="#"]')) return; // the page has its own
  const links = [...document.querySelectorAll("main h2")].map((heading, number) => {
    heading.id ||= `part-${number + 1}`;
    return make("li", {}, make("a", { href: `#${heading.id}` }, heading.textContent));
  });
  if (links.length > 1) bar.append(make("nav", { class: "contents", "aria-label": "Contents" }, make("ol", {}, ...links)));
}

const bar = make("div", { class: "bar" });
addContents(bar);
addTheme(bar);
document.querySelector("header").append(bar);
addTables();
addCharts();
