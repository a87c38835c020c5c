"use strict";
// Starts Swagger UI: one field for the key, a filter that looks at operations, headers folded away, links by task.
(() => {
  const script = document.currentScript;
  const words = JSON.parse(script.dataset.words);
  const root = document.documentElement;
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");
  const paint = () => root.classList.toggle("dark-mode", prefersDark.matches);
  prefersDark.addEventListener("change", paint);
  paint();

  let spec = { paths: {} };
  const operations = () => Object.values(spec.paths).flatMap((item) => Object.values(item));

  // Either header takes the key; one field is enough.
  function withOneField(spec) {
    const schemes = spec.components.securitySchemes;
    if (!schemes.bearer) return spec;
    delete schemes.api_key;
    for (const operation of Object.values(spec.paths).flatMap((item) => Object.values(item))) {
      operation.security = (operation.security ?? []).filter((each) => !("api_key" in each));
    }
    return spec;
  }

  const plugin = ({ React }) => {
    const el = React.createElement;
    const KeyField = ({ name, schema, authorized, onChange }) => {
      const given = Boolean(authorized?.get?.(name));
      const label = el("label", { htmlFor: "api-key" }, words.key);
      if (given) return el("div", { className: "api-key" }, label, el("code", null, words.given));
      return el(
        "div",
        { className: "api-key" },
        label,
        el("input", {
          id: "api-key",
          type: "text",
          autoFocus: true,
          autoComplete: "off",
          spellCheck: false,
          placeholder: "umg_…",
          onChange: (event) => onChange({ name, schema, value: event.target.value.trim() }),
        }),
      );
    };
    return {
      fn: {
        opsFilter: (tagged, phrase) => {
          const wanted = phrase.toLowerCase();
          const speaksOf = (each) =>
            [each.get("path"), each.getIn(["operation", "summary"]), each.getIn(["operation", "operationId"])]
              .join(" ")
              .toLowerCase()
              .includes(wanted);
          return tagged
            .map((group, tag) =>
              tag.toLowerCase().includes(wanted) ? group : group.set("operations", group.get("operations").filter(speaksOf)),
            )
            .filter((group) => group.get("operations").size > 0);
        },
      },
      wrapComponents: {
        HttpAuth: () => KeyField,
        headersX: (Original) => (props) =>
          props.headers?.size
            ? el("details", { className: "answer-headers" }, el("summary", null, words.headers), el(Original, props))
            : null,
      },
      statePlugins: {
        spec: {
          wrapActions: {
            updateJsonSpec: (original) => (given) => {
              spec = withOneField(given);
              return original(spec);
            },
          },
        },
      },
    };
  };

  function follow(ui) {
    document.addEventListener("click", (event) => {
      const link = event.target.closest?.('a[href^="#operation/"]');
      if (!link) return;
      event.preventDefault();
      const id = link.getAttribute("href").slice("#operation/".length);
      const tag = operations().find((each) => each.operationId === id)?.tags[0];
      if (!tag) return;
      ui.layoutActions.show(["operations-tag", tag], true);
      ui.layoutActions.show(["operations", tag, id], true);
      history.replaceState(null, "", `#/${encodeURIComponent(tag)}/${id}`);
      requestAnimationFrame(() =>
        setTimeout(() => document.getElementById(`operations-${tag.replace(/ /g, "_")}-${id}`)?.scrollIntoView(), 50),
      );
    });
  }

  const ui = SwaggerUIBundle({
    url: script.dataset.document,
    dom_id: "#swagger-ui",
    deepLinking: true,
    docExpansion: "none",
    filter: true,
    tryItOutEnabled: true,
    persistAuthorization: true,
    displayRequestDuration: true,
    defaultModelsExpandDepth: 0,
    defaultModelExpandDepth: 2,
    validatorUrl: null,
    plugins: [plugin],
    onComplete: () => {
      const input = document.querySelector(".operation-filter-input");
      if (input) input.placeholder = words.filter;
    },
  });
  follow(ui);
})();
