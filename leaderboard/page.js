"use strict";
(() => {
  document.documentElement.classList.add("js");
  const table = document.querySelector("table[data-sortable]");
  const body = table.querySelector("tbody.models");
  const announce = document.getElementById("announce");
  const original = new Map([...body.rows].map((row, index) => [row, index]));
  const opposite = { ascending: "descending", descending: "ascending" };

  const sort = (button) => {
    const header = button.closest("th");
    const column = Number(button.dataset.column);
    const current = header.getAttribute("aria-sort");
    const order = current ? opposite[current] : button.dataset.first;
    const sign = order === "ascending" ? 1 : -1;
    const key = (row) => (row.cells[column] ? row.cells[column].dataset.sort : "") || "";
    const compare = (a, b) => {
      const x = key(a);
      const y = key(b);
      // What has no number stays last in both orders.
      if (x === "" || y === "") return (x === "") - (y === "");
      if (column === 0) return sign * (x < y ? -1 : x > y ? 1 : 0);
      return sign * (Number(x) - Number(y));
    };
    const rows = [...body.rows].sort((a, b) => compare(a, b) || original.get(a) - original.get(b));
    for (const other of table.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", order);
    body.append(...rows);
    announce.textContent = `Sorted by ${button.textContent.trim()}, ${order}.`;
  };

  for (const button of table.querySelectorAll("thead button")) {
    button.addEventListener("click", () => sort(button));
  }
})();
