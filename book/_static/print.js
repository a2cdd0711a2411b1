// What the printed book needs before a browser makes a PDF of it; iplkit/pdf/make.py calls ready() and fill().

const MM = 96 / 25.4; // screen pixels
const LETTERS = { table: 9, smallest: 6.5, formula: 11 }; // points; a table that needs smaller ones turns its page on the side
const PAPER = { width: 160 * MM, height: 246 * MM, gap: 40 * MM, column: 170 * MM }; // the text's area; more white than `gap` is ugly

// Makes letters smaller until an element, or what is in it, is no wider than the text.
function shrink(element, start, inner = element) {
  const room = element.parentElement.clientWidth - 2 * parseFloat(getComputedStyle(element.parentElement).paddingLeft) + 1;
  for (let size = start; Math.max(inner.scrollWidth, inner.offsetWidth) > room; size -= 0.25) {
    if (size < LETTERS.smallest) return false;
    element.style.setProperty('font-size', `${size}pt`, 'important');
  }
  return true;
}

// A table that is too wide for the page gets one on its side.
function turn(table) {
  const page = document.createElement('div');
  page.className = 'turned';
  table.replaceWith(page);
  page.append(table);
  table.style.fontSize = '';
  shrink(table, LETTERS.table);
}

// Captions as wide as the text; tables whole where a page can hold them.
function settle(table) {
  for (const cell of table.querySelectorAll('td')) {
    if (/^[\u2212+]?[\d.]/.test(cell.textContent.trim()) && cell.textContent.length < 30) cell.style.whiteSpace = 'nowrap';
  }
  if (table.caption) {
    const caption = document.createElement('div');
    caption.className = 'caption';
    caption.append(...table.caption.childNodes);
    table.caption.remove();
    table.before(caption);
  }
  if (!shrink(table, LETTERS.table)) turn(table);
  const box = table.parentElement;
  if (box.offsetHeight < 0.9 * PAPER.height) box.classList.add('whole');
}

// Where an element begins or ends: page within the chapter, and height on it.
function place(element, end) {
  const boxes = [...element.getClientRects()].filter(box => box.height > 0);
  if (!boxes.length) return null;
  const box = end ? boxes[boxes.length - 1] : boxes[0];
  return { page: Math.floor((box.left + 1) / PAPER.column), y: end ? box.bottom : box.top };
}

// A figure that is a little too large for the rest of the page becomes smaller.
function squeeze(block, room) {
  const picture = block.querySelector('figure img');
  const share = picture && 1 - (block.offsetHeight - room) / picture.offsetHeight;
  if (share < 1 && share > 0.7) picture.style.maxHeight = `${Math.floor(share * picture.offsetHeight) - 2}px`;
}

// Moves a figure that does not fit behind the text that follows it, as typesetters do, but never into another section.
function float(block) {
  for (let moves = 0; moves < 6; moves++) {
    const before = block.previousElementSibling && place(block.previousElementSibling, true);
    const here = place(block, false);
    if (!before || !here || before.page === here.page || PAPER.height - before.y < PAPER.gap) return;
    const next = block.nextElementSibling;
    if (!next || !['P', 'UL', 'OL'].includes(next.tagName)) return squeeze(block, PAPER.height - before.y);
    block.before(next);
    while (block.nextElementSibling?.matches('div.math')) block.before(block.nextElementSibling);
  }
}

function paginate() {
  const chapters = [...document.querySelectorAll('.chapter')];
  document.documentElement.classList.add('measured');
  for (const chapter of chapters) {
    chapter.classList.add('now');
    const blocks = new Set();
    for (let block of chapter.querySelectorAll('figure, table, .frames')) {
      while (!['SECTION', 'ARTICLE'].includes(block.parentElement.tagName)) block = block.parentElement;
      blocks.add(block);
    }
    blocks.forEach(float);
    chapter.classList.remove('now');
  }
  document.documentElement.classList.remove('measured');
}

// A font without Chinese draws the same box for every character.
function chinese() {
  const draw = text => {
    const canvas = document.createElement('canvas');
    canvas.width = canvas.height = 40;
    const pen = canvas.getContext('2d');
    pen.font = `30px ${getComputedStyle(document.body).fontFamily}`;
    pen.fillText(text, 4, 32);
    return canvas.toDataURL();
  };
  return draw('\u6f5c') !== draw('\u57df');
}

function outside() {
  const right = element => (element.closest('.turned') ?? document.body).getBoundingClientRect().right + 2;
  return [...document.querySelectorAll('p, pre, td, th, img, mjx-container, li, h1, h2, h3')].filter(e => e.getBoundingClientRect().right > right(e));
}

// Resolves when all is drawn and fits; the answer is a list of what is wrong, without its subject "the PDF".
async function ready() {
  await (window.MathJax ? MathJax.startup.promise : null);
  await document.fonts.ready;
  await Promise.all([...document.images].map(image => image.decode()));
  document.querySelectorAll('table').forEach(settle);
  for (const formula of document.querySelectorAll('div.math mjx-container')) shrink(formula, LETTERS.formula, formula.querySelector('mjx-math'));
  paginate();
  const problems = outside().slice(0, 5).map(e => `has no room for "${(e.textContent || e.alt || e.tagName).trim().slice(0, 60)}"`);
  const formula = document.querySelector('mjx-merror');
  if (formula) problems.push(`cannot draw the formula "${formula.textContent}"`);
  if (/[\u4e00-\u9fff]/.test(document.body.textContent) && !chinese()) problems.push('needs a font with Chinese characters; install one (Debian: apt install fonts-noto-cjk)');
  return problems;
}

function fill(numbers) {
  for (const spot of document.querySelectorAll('.page')) spot.textContent = numbers[spot.dataset.to] ?? '';
}
