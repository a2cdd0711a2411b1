// Offers the live model beside the frames that every reader sees. No module, so that pages opened as files keep working.
(function () {
  "use strict";
  const base = new URL(".", document.currentScript.src).href;

  function offer(root) {
    const place = root.querySelector(".live-offer");
    place.hidden = false;
    if (!location.protocol.startsWith("http")) {
      place.textContent = "The model itself can be moved here when the book is served: run make serve and open the address it prints.";
      return;
    }
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Start the live model";
    const words = document.createElement("span");
    words.textContent = "It is fetched from this book (7 MB) and runs in your browser; nothing is sent anywhere.";
    place.append(button, words);
    button.addEventListener("click", async function () {
      button.disabled = true;
      words.textContent = "Loading …";
      try {
        const live = await import(base + "live.js");
        await live.start(root, base);
        place.hidden = true;
      } catch (error) {
        words.textContent = "The live model cannot run here: " + error.message;
        button.disabled = false;
      }
    });
  }

  function all() {
    document.querySelectorAll(".live").forEach(offer);
  }
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", all);
  else all();
})();
