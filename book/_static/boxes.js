// A box that scrolls sideways takes the focus, so that the arrow keys move it. Which one scrolls depends on the window.
(function () {
  "use strict";
  const BOXES = "figure, .cell_output, .output, .pst-scrollable-table-container, pre, div.math";

  function look(box, number) {
    const wide = box.scrollWidth > box.clientWidth + 1 && /auto|scroll/.test(getComputedStyle(box).overflowX);
    if (wide === box.hasAttribute("data-scrolls")) return;
    box.toggleAttribute("data-scrolls", wide);
    if (wide) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
    if (box.tagName !== "DIV") return;
    if (wide) box.setAttribute("role", "region");
    else box.removeAttribute("role");
    if (wide) box.setAttribute("aria-label", `box ${number + 1}, scrolls sideways`);
    else box.removeAttribute("aria-label");
  }

  document.addEventListener("DOMContentLoaded", function () {
    const article = document.querySelector(".bd-article");
    if (article) new ResizeObserver(() => article.querySelectorAll(BOXES).forEach(look)).observe(article);
  });
})();
