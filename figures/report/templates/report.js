(() => {
  const form = document.getElementById("filters");
  const texts = [...document.querySelectorAll(".text[data-title]")];
  if (!form || !texts.length) return;
  const fill = (name, values) => {
    for (const value of new Set(values)) if (value) form.elements[name].add(new Option(value, value));
  };
  fill("method", texts.map((text) => text.dataset.method));
  fill("check", texts.flatMap((text) => (text.dataset.checks || "").split(",")));
  const show = () => {
    const method = form.elements.method.value, check = form.elements.check.value;
    const title = form.elements.title.value.trim().toLowerCase();
    let shown = 0;
    for (const text of texts) {
      const reference = text.dataset.method === undefined;
      const fits = (reference ? !check : !method || text.dataset.method === method)
        && (!check || (text.dataset.checks || "").split(",").includes(check))
        && (!title || text.dataset.title.toLowerCase().includes(title));
      text.hidden = !fits;
      shown += fits && !reference;
    }
    for (const group of document.querySelectorAll("details.document")) {
      group.hidden = !group.querySelector(".text:not([hidden])");
    }
    form.elements.shown.value = `${shown} texts`;
  };
  form.addEventListener("input", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  show();
})();
