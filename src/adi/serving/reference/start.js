// Starts swagger-ui on the description of the server that this page came from.

const token = sessionStorage.getItem("adi-token"); // where the explorer keeps it

const ui = SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#reference",
  validatorUrl: "none", // else the description's address goes to a service that checks it
  deepLinking: true,
  displayRequestDuration: true,
  defaultModelExpandDepth: 4,
  onComplete: () => token !== null && ui.preauthorizeApiKey("token", token),
});

const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();
