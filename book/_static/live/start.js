// Offers the live model beside the frames that every reader sees. No module, so that pages opened as files keep working.
(function () {
  "use strict";
  const base = new URL(".", document.currentScript.src).href;
  const served = location.protocol.startsWith("http");

  function offer(root) {
    const place = root.querySelector(".live-offer");
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Start the live model";
    const words = document.createElement("span");
    words.setAttribute("role", "status");
    words.textContent = served
      ? "Less than 10 MB, fetched from this book; it runs in your browser, and nothing is sent anywhere."
      : "It is read from a file of this book and runs in your browser; nothing is sent anywhere.";
    place.append(button, words);
    place.hidden = false;
    button.addEventListener("click", async function () {
      button.disabled = true;
      words.textContent = "Loading …";
      try {
        const live = served ? await import(base + "live.js") : await linked();
        await live.start(root, base, served ? null : window.iplkitLive);
        place.hidden = true;
      } catch (error) {
        words.textContent = "The live model cannot run here: " + error.message + ".";
        button.disabled = false;
      }
    });
  }

  // A page opened as a file may neither fetch nor import its neighbors, but a plain script may bring them all.
  async function linked() {
    if (!window.iplkitLive) await bring(base + "inline.js");
    return import(addressOf("live.js", {}));
  }

  function bring(address) {
    return new Promise(function (resolve, reject) {
      const script = document.createElement("script");
      script.src = address;
      script.onload = resolve;
      script.onerror = () => reject(new Error("its file was not built with this book; run make serve and open the address it prints"));
      document.head.append(script);
    });
  }

  // The address of a module whose imports are addresses, too.
  function addressOf(name, made) {
    if (!made[name]) {
      const bytes = Uint8Array.from(atob(window.iplkitLive[name]), (letter) => letter.charCodeAt(0));
      const text = new TextDecoder().decode(bytes).replace(/(from\s*")\.\/([\w.-]+)(")/g, (all, before, other, after) => before + addressOf(other, made) + after);
      made[name] = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
    }
    return made[name];
  }

  function all() {
    document.querySelectorAll(".live").forEach(offer);
  }
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", all);
  else all();
})();
