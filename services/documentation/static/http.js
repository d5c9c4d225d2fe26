// Shows the OpenAPI document with Swagger UI, in the colours that the reader's system has.

const place = document.getElementById("swagger");
const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);

follow();
dark.addEventListener("change", follow);
SwaggerUIBundle({
  url: place.dataset.url,
  domNode: place,
  docExpansion: "list",
  defaultModelsExpandDepth: -1,
  validatorUrl: null,
});
