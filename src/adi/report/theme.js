// Runs before anything is shown: the theme that was chosen last, and pictures that do not load leave no hole.

const THEME = "adi-report-theme";

function remember(theme) {
  try {
    if (theme) localStorage.setItem(THEME, theme);
    else localStorage.removeItem(THEME);
  } catch {
    // A browser without storage shows the theme until the page is closed.
  }
}

try {
  const theme = localStorage.getItem(THEME);
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // As above.
}

addEventListener("error", ({ target }) => {
  if (target instanceof HTMLImageElement) target.remove();
}, true);
