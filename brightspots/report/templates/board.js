
(function () {
  "use strict";
  var tip = document.getElementById("tip"), owner = null;

  function showTip(target, text) {
    owner = target;
    tip.textContent = text;
    tip.hidden = false;
    var at = target.getBoundingClientRect(), box = tip.getBoundingClientRect();
    var left = Math.min(Math.max(4, at.left + at.width / 2 - box.width / 2), window.innerWidth - box.width - 4);
    var top = at.top - box.height - 8;
    tip.style.left = left + "px";
    tip.style.top = (top < 4 ? at.bottom + 8 : top) + "px";
  }
  function hideTip() { tip.hidden = true; }
  document.addEventListener("keydown", function (event) { if (event.key === "Escape") { hideTip(); } });
  // What has the focus keeps its words while the page scrolls to it; what is under the pointer moves away.
  document.addEventListener("scroll", function () {
    if (!tip.hidden && owner === document.activeElement) { showTip(owner, tip.textContent); } else { hideTip(); }
  }, true);

  // Funnels: one stop of the Tab key a panel, arrow keys from point to point in order of size.
  document.querySelectorAll("svg.funnel").forEach(function (figure) {
    var points = Array.prototype.slice.call(figure.querySelectorAll(".pt"));
    if (!points.length) { return; }
    function where(point) { return point.getBBox().x; }
    points.sort(function (a, b) { return where(a) - where(b); });
    var current = 0;
    points[0].setAttribute("tabindex", "0");
    function go(to) {
      points[current].setAttribute("tabindex", "-1");
      current = (to + points.length) % points.length;
      points[current].setAttribute("tabindex", "0");
      points[current].focus();
    }
    figure.addEventListener("keydown", function (event) {
      var steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
      if (event.key in steps) { go(current + steps[event.key]); event.preventDefault(); }
      if (event.key === "Home") { go(0); event.preventDefault(); }
      if (event.key === "End") { go(points.length - 1); event.preventDefault(); }
    });
    points.forEach(function (point, position) {
      var text = point.getAttribute("aria-label");
      point.querySelector("title").remove();
      point.addEventListener("mouseenter", function () { showTip(point, text); });
      point.addEventListener("mouseleave", hideTip);
      point.addEventListener("focus", function () { current = position; showTip(point, text); });
      point.addEventListener("blur", hideTip);
      point.addEventListener("click", function () { go(position); });
    });
  });

  // Mosaic: the row and column of the cell under the pointer, in words.
  document.querySelectorAll("table.grid").forEach(function (table) {
    var heads = table.querySelectorAll("thead th");
    var words = { bright: "bright spot", dark: "dark spot", "in-line": "in line", "cannot-tell": "cannot tell",
      absent: "no such department in the data" };
    table.addEventListener("mouseover", function (event) {
      var cell = event.target.closest("td");
      if (!cell) { hideTip(); return; }
      if (cell.title) { cell.dataset.detail = cell.title.slice(cell.title.lastIndexOf(": ", cell.title.lastIndexOf(": ") - 1)); cell.removeAttribute("title"); }
      showTip(cell, cell.parentNode.cells[0].textContent + ", " + heads[cell.cellIndex].textContent + ": " +
        words[cell.className] + (cell.dataset.detail ? "; " + cell.dataset.detail.replace(/^: /, "") : ""));
    });
    table.addEventListener("mouseleave", hideTip);
  });

  // Tables: search, filter, sort. Without this script they are whole and in the order of names.
  document.querySelectorAll(".table-block").forEach(function (block) {
    var tools = block.querySelector(".tools"), search = tools.querySelector("input"), select = tools.querySelector("select");
    var shown = tools.querySelector(".shown"), body = block.querySelector("tbody");
    var rows = Array.prototype.slice.call(body.rows);
    function filter() {
      var wanted = search.value.trim().toLowerCase(), status = select ? select.value : "", count = 0;
      rows.forEach(function (row) {
        var has = (!wanted || row.textContent.toLowerCase().indexOf(wanted) >= 0) &&
          (!status || Array.prototype.some.call(row.cells, function (cell) { return cell.textContent === status; }));
        row.hidden = !has;
        if (has) { count += 1; }
      });
      shown.textContent = count === rows.length ? rows.length + " rows" : count + " of " + rows.length + " rows";
    }
    if (rows.length > 8) { tools.hidden = false; }
    search.addEventListener("input", filter);
    if (select) { select.addEventListener("change", filter); }
    filter();

    var heads = Array.prototype.slice.call(block.querySelectorAll("thead th"));
    function key(row, column) {
      var cell = row.cells[column], value = cell.getAttribute("data-v");
      return value === null ? cell.textContent : Number(value);
    }
    function compare(a, b) {
      if (typeof a === "number" && typeof b === "number") { return a - b; }
      if (typeof a !== typeof b) { return typeof a === "number" ? -1 : 1; }
      return a.localeCompare(b, "en-GB", { numeric: true });
    }
    heads.forEach(function (head, column) {
      var button = document.createElement("button");
      button.type = "button";
      button.setAttribute("aria-label", "Sort by " + head.textContent);
      head.appendChild(button);
      head.addEventListener("click", function () {
        var way = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
        heads.forEach(function (other) { other.removeAttribute("aria-sort"); });
        head.setAttribute("aria-sort", way === 1 ? "ascending" : "descending");
        rows.map(function (row, place) { return [key(row, column), place, row]; })
          .sort(function (a, b) { return way * compare(a[0], b[0]) || a[1] - b[1]; })
          .forEach(function (entry) { body.appendChild(entry[2]); });
      });
    });
  });
}());
