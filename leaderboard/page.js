"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  const announce = document.getElementById("announce");
  const opposite = { ascending: "descending", descending: "ascending" };

  const makeSortable = (table) => {
    const body = table.querySelector("tbody.models");
    const original = new Map([...body.rows].map((row, index) => [row, index]));
    const sort = (button) => {
      const header = button.closest("th");
      const column = Number(button.dataset.column);
      const current = header.getAttribute("aria-sort");
      const order = current ? opposite[current] : button.dataset.first;
      const sign = order === "ascending" ? 1 : -1;
      const key = (row) => {
        const cell = row.cells[column];
        return (cell && cell.dataset.sort) || (column === 0 && row.dataset.name) || "";
      };
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
    for (const button of table.querySelectorAll("thead button")) button.addEventListener("click", () => sort(button));
  };

  const makeFilter = (tools) => {
    const rows = [...document.querySelectorAll("table[data-filter] tr[data-name]")];
    const names = new Set(rows.map((row) => row.dataset.name));
    if (names.size < 2) return;
    const element = (tag, parent, fields = {}) => {
      const made = Object.assign(document.createElement(tag), fields);
      parent.append(made);
      return made;
    };
    const field = (tag, text, fields) => {
      const label = element("label", tools);
      element("span", label, { textContent: text });
      return element(tag, label, fields);
    };
    const search = field("input", "Find a model", { type: "search", id: "search", autocomplete: "off" });
    const choices = [["decoding", "Decoding"], ["badge", "Badge"]].map(([name, text]) => {
      const values = [...new Set(rows.map((row) => row.dataset[name]).filter((value) => value))].sort();
      if (values.length < 2) return null;
      const select = field("select", text, { id: `filter-${name}` });
      element("option", select, { value: "", textContent: "all" });
      for (const value of values) element("option", select, { value, textContent: value });
      return [name, select];
    }).filter((choice) => choice);
    const shown = element("output", tools);
    const apply = () => {
      const words = search.value.toLowerCase().split(/\s+/).filter((word) => word);
      const found = new Set();
      for (const row of rows) {
        const name = row.dataset.name.toLowerCase();
        const fits = words.every((word) => name.includes(word))
          && choices.every(([key, select]) => select.value === "" || row.dataset[key] === select.value);
        row.hidden = !fits;
        if (fits) found.add(row.dataset.name);
      }
      shown.textContent = `${found.size} of ${names.size} models shown`;
    };
    for (const control of tools.querySelectorAll("input, select")) control.addEventListener("input", apply);
    search.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      search.value = "";
      apply();
    });
    apply();
    tools.hidden = false;
  };

  for (const table of document.querySelectorAll("table[data-sortable]")) makeSortable(table);
  for (const tools of document.querySelectorAll(".tools")) makeFilter(tools);
})();
