// The index of several pages.

function indexRow(item) {
  const share = make("meter", { max: item.sentences || 1, value: item.aligned });
  share.setAttribute("aria-label", `${item.aligned} of ${item.sentences}`);
  const shift = item.median_shift;
  const said = shift === null ? "–" : `${shift > 0 ? "+" : ""}${shift.toFixed(1)} s`;
  const numbers = [[item.sentences], [item.aligned, share], [said]];
  const cells = numbers.map((held) => make("td", { className: "number" }, ...held));
  const link = make("a", { href: item.href, dir: "auto" }, item.name);
  return make("tr", {}, make("td", {}, link), ...cells, make("td", {}, item.model ?? "unknown"));
}

function startIndex() {
  const entries = data.entries.map((item) => ({ ...item, folded: fold(`${item.name} ${item.model ?? ""}`) }));
  const buttons = [...document.querySelectorAll("[data-sort]")];
  let by = "name", up = 1;
  const compare = ({ [by]: a }, { [by]: b }) => {
    const numbers = typeof a === "number" && typeof b === "number";
    return up * (numbers ? a - b : String(a ?? "").localeCompare(String(b ?? "")));
  };
  const list = () => {
    const words = wordsOf($("search").value);
    const found = entries.filter((item) => words.every((word) => item.folded.includes(word)));
    $("entries").replaceChildren(...found.sort(compare).map(indexRow));
    $("count").textContent = `${words.length ? `${found.length} of ` : ""}${entries.length} alignments`;
    $("none").textContent = entries.length ? "No alignment matches." : "There are no alignments.";
    $("none").hidden = found.length > 0;
    for (const button of buttons) {
      const order = button.dataset.sort === by ? (up > 0 ? "ascending" : "descending") : "none";
      button.closest("th").setAttribute("aria-sort", order);
    }
  };
  for (const button of buttons) {
    button.addEventListener("click", () => {
      up = button.dataset.sort === by ? -up : 1;
      by = button.dataset.sort;
      list();
    });
  }
  $("search").addEventListener("input", list);
  themes(() => {});
  list();
  ready();
}

startIndex();
