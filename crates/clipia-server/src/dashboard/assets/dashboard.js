/* What the pages do beside their forms: times that get older, keys, copies, and questions before an action. */
(() => {
  const base = document.body.dataset.base;
  const units = [[1, 120, "s"], [60, 7200, "min"]];

  /* As `ago` on the server. */
  const words = (at) => {
    const seconds = Math.trunc((Date.now() - Date.parse(at)) / 1000);
    const distance = Math.abs(seconds);
    if (distance === 0) return "now";
    let span = `${Math.floor(distance / 86400)} days`;
    for (const [size, below, name] of units) {
      if (distance < below) { span = `${Math.floor(distance / size)} ${name}`; break; }
    }
    if (distance >= 7200 && distance < 172800) {
      span = `${Math.floor(distance / 3600)} h ${Math.floor(distance / 60) % 60} min`;
    }
    return seconds > 0 ? `${span} ago` : `in ${span}`;
  };
  if (!document.body.hasAttribute("data-still")) {
    setInterval(() => {
      for (const time of document.querySelectorAll("time[datetime]")) time.textContent = words(time.dateTime);
    }, 5000);
  }

  const copy = async (text) => {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    /* A page without TLS has no clipboard on another machine than this. */
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  };
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button.copy");
    if (!button) return;
    const near = button.parentElement.querySelector("code");
    await copy(button.dataset.copy ?? near?.textContent ?? "");
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });

  document.addEventListener("submit", (event) => {
    const question = event.target.dataset.confirm;
    if (question && !confirm(question)) event.preventDefault();
  });

  let row = -1;
  let after_g = false;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches("input, textarea, select")) return;
    const rows = [...document.querySelectorAll("[data-row]")];
    if (after_g) {
      after_g = false;
      const page = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
      if (page) location.href = `${base}/${page.dataset.path}`;
      return;
    }
    switch (event.key) {
      case "/":
        event.preventDefault();
        document.querySelector("input[type=search]")?.focus();
        break;
      case "?":
        document.getElementById("keys")?.showModal();
        break;
      case "g":
        after_g = true;
        break;
      case "j":
      case "k":
        row = Math.max(0, Math.min(rows.length - 1, row + (event.key === "j" ? 1 : -1)));
        rows[row]?.querySelector("a")?.focus();
        break;
    }
  });
})();
